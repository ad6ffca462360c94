package tahoeclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"unicode"
)

// What can go wrong, for errors.Is.
var (
	// ErrUnhappy: the servers that can be reached are too few to store
	// anything as widely as the gateway must. Nothing was stored for good.
	ErrUnhappy = errors.New("too few servers to store safely")

	// ErrNotEnoughShares: some of what is needed to read an object is out of
	// reach. It may come back with its servers.
	ErrNotEnoughShares = errors.New("not enough shares can be reached")

	// ErrGone: enough servers were asked and none has a share of the object.
	ErrGone = errors.New("no server has a share of it")

	// ErrDamaged: all servers of the grid were there, several times, and what they
	// have of the object does not make it up. It stands beside ErrGone or
	// ErrNotEnoughShares.
	ErrDamaged = errors.New("all servers answer, and too few good shares are left")

	// ErrNotAnswering: the gateway's socket is absent, refuses or closes, or
	// the gateway was silent for longer than the Options allow. A request that
	// changes something may or may not have been carried out.
	ErrNotAnswering = errors.New("the gateway is not answering")

	// ErrStuck: the gateway answers, but not this request. A server keeps it
	// waiting: Tahoe has no end for some answers that make no sense. It stands
	// beside ErrNotAnswering.
	ErrStuck = errors.New("a server keeps the gateway waiting")

	// ErrBadCap: not a capability, or one of a kind that cannot be used here.
	ErrBadCap = errors.New("not a usable capability")

	// ErrConflict: the name is taken and was not to be replaced, or someone
	// else was writing at the same time.
	ErrConflict = errors.New("something else is already there")

	// ErrNoChild: the directory has no child of that name.
	ErrNoChild = errors.New("no such name in the directory")

	// ErrShortRead: the answer ended before all bytes had come. It wraps
	// io.ErrUnexpectedEOF.
	ErrShortRead = fmt.Errorf("the answer ended early: %w", io.ErrUnexpectedEOF)

	// ErrNotWritable: the capability allows no change.
	ErrNotWritable = errors.New("the capability allows no writing")
)

// Error is an answer of the gateway that is not a success. If its meaning is
// known it wraps one of the sentinels.
type Error struct {
	Op     string // what we were doing: "uploading"
	Status int    // the HTTP status; 200 if the answer itself makes no sense
	Detail string // one bounded line, without capabilities

	kind error
}

func (e *Error) Error() string {
	s := e.Op + ": "
	if e.kind != nil {
		s += e.kind.Error()
	} else {
		s += "unexpected answer of the gateway"
	}
	s += fmt.Sprintf(" (status %d", e.Status)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s + ")"
}

// Unwrap returns the sentinel that says what the answer means, or nil.
func (e *Error) Unwrap() error { return e.kind }

// Temporary reports whether the same request may succeed later, without
// anything having been changed by us.
func Temporary(err error) bool {
	for _, e := range []error{context.Canceled, context.DeadlineExceeded,
		ErrGone, ErrDamaged, ErrBadCap, ErrConflict, ErrNoChild, ErrNotWritable} {
		if errors.Is(err, e) {
			return false
		}
	}
	for _, e := range []error{ErrNotAnswering, ErrUnhappy, ErrNotEnoughShares, ErrShortRead} {
		if errors.Is(err, e) {
			return true
		}
	}
	var e *Error
	return errors.As(err, &e) && serverSide(e.Status)
}

func serverSide(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// exceptions are the names, in Tahoe's own code, of what we can tell apart.
var exceptions = map[string]error{
	"UploadUnhappinessError":  ErrUnhappy,
	"NoServersError":          ErrUnhappy,
	"NotEnoughServersError":   ErrUnhappy,
	"NotEnoughSharesError":    ErrNotEnoughShares,
	"UnrecoverableFileError":  ErrNotEnoughShares,
	"NoSharesError":           ErrGone,
	"UncoordinatedWriteError": ErrConflict,
	"NotWriteableError":       ErrNotWritable,
}

var (
	// A traceback ends in "package.module.Name: text", sometimes with "Failure: "
	// before it; a humanized error starts with "Name: text".
	exceptionLine = regexp.MustCompile(`(?m)^(?:Failure: )?(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?::.*)?$`)
	knownLine     = regexp.MustCompile(`(?m)^(?:Failure: )?(?:[A-Za-z_]\w*\.)*(` + knownNames() + `)\b.*$`)

	htmlTag = regexp.MustCompile(`(?s)<(style|script)\b.*?</(style|script)>|<[^>]*>`)
)

func knownNames() string {
	var names []string
	for name := range exceptions {
		names = append(names, name)
	}
	return strings.Join(names, "|")
}

// answerError reads an answer that is not a success.
func answerError(op string, status int, contentType string, body []byte) *Error {
	text := plainText(contentType, body)
	e := &Error{Op: op, Status: status}

	line := ""
	if lines := knownLine.FindAllStringSubmatch(text, -1); lines != nil {
		// A humanized error names itself first and may quote others; of a
		// traceback, which may quote remote ones, the last line counts.
		m := lines[0]
		if status == http.StatusInternalServerError {
			m = lines[len(lines)-1]
		}
		line, e.kind = m[0], exceptions[m[1]]
	} else {
		line = telling(text)
	}
	e.Detail = redact(line)

	switch {
	case e.kind != nil:
	case status == http.StatusNotFound:
		e.kind = ErrNoChild
	case status == http.StatusConflict:
		e.kind = ErrConflict
	case status == http.StatusGone:
		e.kind = ErrNotEnoughShares
	case status == http.StatusBadRequest && strings.Contains(text, "read-only cap"):
		e.kind = ErrNotWritable
	case status == http.StatusBadRequest && strings.Contains(text, "GET unknown URI type"),
		strings.Contains(text, "is not a valid file- or directory- cap"):
		e.kind = ErrBadCap
	}
	return e
}

// plainText takes the text out of an answer's HTML or JSON.
func plainText(contentType string, body []byte) string {
	text := strings.ToValidUTF8(string(body), "?")
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &said) == nil && said.Error != "" {
		return said.Error
	}
	// Tahoe calls pages text at times, and text a page: look at it as well.
	start := strings.TrimSpace(text)
	if strings.HasPrefix(start, "<") || (strings.HasPrefix(contentType, "text/html") && strings.Contains(text, "</")) {
		text = html.UnescapeString(htmlTag.ReplaceAllString(text, " "))
		text = strings.Join(strings.Fields(text), " ")
	}
	return text
}

// telling returns the line that says most: the exception of a traceback, the
// first line of everything else.
func telling(text string) string {
	if strings.Contains(text, "Traceback") {
		if lines := exceptionLine.FindAllString(text, -1); lines != nil {
			return lines[len(lines)-1]
		}
	}
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

const maxDetail = 400 // bytes

var (
	// Capabilities, also percent-encoded (once or more) as in a quoted URL, and
	// whatever hangs on them. A space ends one: encoded text holds none.
	capText = regexp.MustCompile(`(?i)URI(?::|%(?:25)*3A|&#58;|\\x3a)[^\s"'<>]*`)
	// FURLs hold a swissnum, a bearer secret.
	furlText = regexp.MustCompile(`(?i)\bpb(?:\+[a-z]+)?(?::|%(?:25)*3A)[^\s"'<>]*`)
	// What is long and base32, or base64 as a private key, may be a secret torn
	// from its surroundings; also most of one is too much.
	keyText = regexp.MustCompile(`[A-Za-z0-9_+=-]{26,}|[a-z2-7]{16,}`)
)

// redact makes one bounded printable line of text that may hold capabilities.
func redact(text string) string {
	text = printable(text)
	text = capText.ReplaceAllString(text, "[capability]")
	text = furlText.ReplaceAllString(text, "[furl]")
	text = keyText.ReplaceAllStringFunc(text, func(s string) string {
		if isName(s) {
			return s
		}
		return "[removed]"
	})
	return cut(strings.Join(strings.Fields(text), " "), maxDetail)
}

// printable replaces what could steer a terminal or break a line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// isName tells a long name of an exception, all letters and with capitals
// inside, from a key.
func isName(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) {
			return false
		}
	}
	return strings.HasSuffix(s, "Error")
}

// silentError is the cause of a request's context that the watchdog ended.
type silentError struct {
	waited string
	early  bool // the gateway might still have answered
}

func (e *silentError) Error() string { return "no answer within " + e.waited }

// transportError says why there was no answer. requestCtx is the context of
// the HTTP request, derived from the caller's ctx.
func transportError(ctx, requestCtx context.Context, op string, err error) error {
	if err := contextError(ctx); err != nil {
		return err
	}
	var silent *silentError
	if errors.As(context.Cause(requestCtx), &silent) {
		return fmt.Errorf("%s: %w: %w", op, ErrNotAnswering, silent)
	}
	return fmt.Errorf("%s: %w: %w", op, ErrNotAnswering, harmless(err))
}

// contextError returns nil, or an error that is ctx.Err() and tells its cause.
func contextError(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && cause != err {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// harmless returns what is known to be safe of an error of net/http, which
// puts URLs and pieces of answers into its texts.
func harmless(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it closed the connection")
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return errors.New(redact(err.Error()))
}
