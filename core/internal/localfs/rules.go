package localfs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// A pattern longer than any path names nothing.
const maxPattern = 4096

// Rule includes or excludes what its pattern matches, as rsync's filter rules
// do (rsync(1), "pattern matching rules"):
//
//   - "/" at the start anchors the pattern at the folder; otherwise it matches
//     the last element of a path, or as many as it has elements itself
//   - "/" at the end matches directories only
//   - "*" and "?" stop at a slash, "**" does not; [a-z] and [[:digit:]] are sets
//   - "dir/***" is the directory and everything below it
//
// Bytes are compared, not characters: "?" is one byte of a longer character.
type Rule struct {
	include bool
	source  string
	glob    glob

	anchored bool
	dirOnly  bool
	elements int // of the pattern; 0 with "**", which has no fixed number

	acrossPrefix bool // starts with "**"
	across       bool // has "**" somewhere
	belowToo     bool // ends with "***"
}

// Include makes a rule that keeps what the pattern matches.
func Include(pattern string) (Rule, error) { return newRule(true, pattern) }

// Exclude makes a rule that leaves out what the pattern matches; an excluded
// directory is not descended into.
func Exclude(pattern string) (Rule, error) { return newRule(false, pattern) }

// ParseRule reads "+ PATTERN" (include) or "- PATTERN" (exclude).
func ParseRule(s string) (Rule, error) {
	switch {
	case strings.HasPrefix(s, "+ "):
		return Include(s[2:])
	case strings.HasPrefix(s, "- "):
		return Exclude(s[2:])
	}
	return Rule{}, fmt.Errorf(`rule %q: it must begin with "+ " (include) or "- " (exclude)`, s)
}

// String is the rule as ParseRule reads it.
func (r Rule) String() string {
	if r.include {
		return "+ " + r.source
	}
	return "- " + r.source
}

func newRule(include bool, pattern string) (Rule, error) {
	r := Rule{include: include, source: pattern}
	if err := r.compile(pattern); err != nil {
		return Rule{}, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	return r, nil
}

func (r *Rule) compile(p string) error {
	if len(p) > maxPattern || strings.IndexByte(p, 0) >= 0 {
		return errors.New("it is too long or has a zero byte in it")
	}
	p, r.dirOnly = strings.CutSuffix(p, "/")
	p, r.anchored = strings.CutPrefix(p, "/")
	for elem := range strings.SplitSeq(p, "/") {
		if elem == "" || elem == "." || elem == ".." {
			return fmt.Errorf("it can match nothing because of the element %q", elem)
		}
	}
	if !strings.ContainsAny(p, "*?[") {
		// As in rsync, a backslash escapes only where there is a wildcard.
		for _, b := range []byte(p) {
			r.glob = append(r.glob, piece{lit: b})
		}
		r.elements = strings.Count(p, "/") + 1
		return nil
	}
	if r.across = strings.Contains(p, "**"); r.across {
		r.acrossPrefix = !r.anchored && strings.HasPrefix(p, "**")
		r.belowToo = strings.HasSuffix(p, "***")
	} else {
		r.elements = strings.Count(p, "/") + 1
	}
	var err error
	r.glob, err = compileGlob(p)
	return err
}

// matches reports whether the rule is about the path below the folder.
func (r *Rule) matches(path []byte, dir bool) bool {
	if r.dirOnly && !dir {
		return false
	}
	switch {
	case r.anchored && !r.across:
		return r.glob.match(path)
	case !r.across:
		tail, enough := lastElements(path, r.elements)
		return enough && r.glob.match(tail)
	}
	if r.acrossPrefix {
		// So that "**/name" finds a name right in the folder.
		path = append([]byte{'/'}, path...)
	}
	if r.belowToo && dir {
		// So that "dir/***" finds the directory itself.
		path = append(path[:len(path):len(path)], '/')
	}
	if r.glob.match(path) {
		return true
	}
	if r.anchored || r.acrossPrefix {
		return false
	}
	for {
		_, rest, found := bytes.Cut(path, []byte{'/'})
		if !found {
			return false
		}
		if r.glob.match(rest) {
			return true
		}
		path = rest
	}
}

// lastElements cuts the last n elements off a path that has as many.
func lastElements(path []byte, n int) ([]byte, bool) {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			if n--; n == 0 {
				return path[i+1:], true
			}
		}
	}
	return path, n == 1
}

// included asks the rules in order; the first that matches decides.
func included(rules []Rule, path []byte, dir bool) bool {
	for i := range rules {
		if rules[i].matches(path, dir) {
			return rules[i].include
		}
	}
	return true
}
