package process

import (
	"bytes"
	"regexp"
	"sync"
)

const (
	keptLines  = 20
	keptLength = 400 // bytes of one line; the rest is dropped, never wrapped
)

// Capabilities, also percent-encoded, and furls: whoever reads them may use them.
var secrets = regexp.MustCompile(`(?i)(URI(?::|%3A)|pb(?:\+[a-z0-9]+)?://)[^\s"'<>]*`)

// Redact removes capabilities and furls from text meant for a message.
func Redact(text string) string {
	return secrets.ReplaceAllString(text, "${1}[hidden]")
}

// lastLines is a writer that remembers the newest lines in bounded memory.
type lastLines struct {
	mu      sync.Mutex
	kept    []string
	partial []byte
}

func newLastLines() *lastLines { return &lastLines{} }

func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if room := keptLength - len(l.partial); room > 0 {
			l.partial = append(l.partial, line[:min(room, len(line))]...)
		}
		if whole {
			l.endLine()
		}
		rest = after
	}
	return len(p), nil
}

func (l *lastLines) endLine() {
	if text := string(bytes.TrimSpace(l.partial)); text != "" {
		l.kept = append(l.kept, Redact(text))
		l.kept = l.kept[max(0, len(l.kept)-keptLines):]
	}
	l.partial = l.partial[:0]
}

func (l *lastLines) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := append([]string(nil), l.kept...)
	if text := bytes.TrimSpace(l.partial); len(text) > 0 {
		lines = append(lines, Redact(string(text)))
	}
	return lines
}
