package core

import "errors"

// failure is an error on its way to another process. It keeps its row in
// the table of explanations.
type failure struct {
	Row  int // -1 for none
	Text string
}

func tellFailure(err error) *failure {
	f := &failure{Row: -1, Text: err.Error()}
	for i, row := range explanations {
		if errors.Is(err, row.err) {
			f.Row = i
			break
		}
	}
	return f
}

func (f *failure) told() error {
	if f.Row < 0 || f.Row >= len(explanations) {
		return errors.New(f.Text)
	}
	return &toldError{f.Text, explanations[f.Row].err}
}

// toldError is an error that happened in another process.
type toldError struct {
	text string
	kind error
}

func (e *toldError) Error() string { return e.text }
func (e *toldError) Unwrap() error { return e.kind }
