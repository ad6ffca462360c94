package tor

import (
	"strconv"
	"strings"
	"time"
)

// Status is how far tor is.
type Status struct {
	Own bool // it is our own

	// Percent is 100 when tor is connected, and -1 if that is not known: a
	// running tor does not tell everybody.
	Percent int

	Tag     string // tor's word for the step it is at, such as "conn_done"
	Summary string // tor's English sentence for it
	Warning string // what hinders it, in tor's words; empty if nothing does

	// Skew is by how much the clock is ahead (or, negative, behind), if tor
	// says that it is off.
	Skew time.Duration
}

// Connected reports whether tor said that it is connected.
func (s Status) Connected() bool { return s.Percent == 100 }

// applyEvent takes in what a status event says, such as
//
//	STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=10 TAG=conn_done SUMMARY="Connected to a relay"
//	STATUS_GENERAL WARN CLOCK_SKEW SKEW=-3600 SOURCE=CONSENSUS
//
// and reports whether it was one of these.
func (s *Status) applyEvent(line string) bool {
	fields := splitQuoted(line)
	if len(fields) < 3 {
		return false
	}
	values := map[string]string{}
	for _, field := range fields[3:] {
		if key, value, ok := strings.Cut(field, "="); ok {
			values[key] = value
		}
	}
	switch fields[0] + " " + fields[2] {
	case "STATUS_CLIENT BOOTSTRAP":
		return s.applyBootstrap(values)
	case "STATUS_GENERAL CLOCK_SKEW":
		seconds, err := strconv.ParseInt(values["SKEW"], 10, 32)
		if err == nil {
			s.Skew = time.Duration(seconds) * time.Second
		}
		return err == nil
	}
	return false
}

func (s *Status) applyBootstrap(values map[string]string) bool {
	percent, err := strconv.Atoi(values["PROGRESS"])
	if err != nil || percent < 0 || percent > 100 {
		return false
	}
	s.Percent, s.Tag, s.Summary, s.Warning = percent, values["TAG"], values["SUMMARY"], values["WARNING"]
	if percent == 100 {
		s.Skew = 0 // it did not matter
	}
	return true
}

// splitQuoted splits at spaces outside of quotes and takes quotes and
// backslashes away.
func splitQuoted(line string) (fields []string) {
	var field strings.Builder
	quoted, escaped, started := false, false, false
	for _, c := range []byte(line) {
		switch {
		case escaped:
			field.WriteByte(c)
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted, started = !quoted, true
		case c == ' ' && !quoted:
			if started {
				fields = append(fields, field.String())
				field.Reset()
			}
			started = false
		default:
			field.WriteByte(c)
			started = true
		}
	}
	if started {
		fields = append(fields, field.String())
	}
	return fields
}
