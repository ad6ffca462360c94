package localfs

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestRulesMatchAsInRsync(t *testing.T) {
	for _, c := range []struct{ pattern, match, other string }{
		// Names anywhere, unless anchored; a slash at the end is a directory.
		{"foo", "foo a/foo a/b/foo foo/", "foobar afoo a/foo/b"},
		{"/foo", "foo foo/", "a/foo foo/a"},
		{"foo/", "foo/ a/foo/", "foo a/foo"},
		{"/foo/", "foo/", "foo a/foo/"},
		// A slash inside: that many elements at the end.
		{"foo/bar", "foo/bar a/foo/bar", "bar foo/a/bar xfoo/bar foo/bar/a"},
		{"/foo/bar", "foo/bar", "a/foo/bar bar"},
		{"foo/*/bar", "foo/x/bar a/foo/x/bar", "foo/bar foo/x/y/bar"},
		{"/foo/*", "foo/a foo/b/", "foo foo/a/b a/foo/b"},
		// One star stops at slashes, two do not.
		{"*.o", "x.o a/x.o .o", "x.ob x.o/a"},
		{"/*.o", "x.o", "a/x.o"},
		{"a*/b", "a/b axx/b c/ab/b", "a/x/b b"},
		{"/a*b", "ab axb", "a/b"},
		{"/a**b", "ab a/b a/x/b axxb", "x/ab"},
		{"a**b", "ab a/b x/a/y/b", "xa/b xab"},
		{"foo/**/bar", "foo/x/bar foo/x/y/bar z/foo/x/bar", "foo/bar foo/bar/x"},
		{"**/foo", "foo a/foo a/b/foo", "xfoo foo/a"},
		{"**foo", "foo xfoo a/xfoo", "foo/a"},
		{"/foo/**", "foo/a foo/a/b foo/a/", "foo foo/ x/foo/a"},
		{"foo/***", "foo/ foo/a foo/a/b a/foo/ a/foo/b", "foo xfoo/a"},
		{"/foo/***", "foo/ foo/a/b", "foo a/foo/b"},
		{"***", "a a/b a/", ""},
		{"*", "a a/b a/", ""},
		{"*/", "a/ a/b/", "a"},
		// One byte each, never a slash.
		{"a?c", "abc a.c", "ac abbc a/c"},
		{"????", "\xc3\xa9\xc3\xa9 abcd", "\xc3\xa9"},
		{"[a-c]x", "ax bx a/cx", "dx -x"},
		{"[!a-c]x", "dx -x", "ax /x a/ax"},
		{"[^a]x", "bx", "ax"},
		{"[]-]x", "]x -x", "ax"},
		{"[a-]x", "ax -x", "bx"},
		{`[\]]x`, "]x", `\x`},
		{"[[:digit:]_]x", "7x _x", "ax"},
		{"a[/b]c", "", "abc a/c"}, // two elements to rsync, and no set matches a slash
		{"[\x80-\xff]*", "\xff \x80abc", "a"},
		{"\xff*", "\xffa", "\xfea"},
		// A backslash escapes only where there is a wildcard.
		{`a\*b*`, "a*b a*bc", "axb"},
		{`a\b`, `a\b`, "ab"},
		{`a\b*`, "ab abc", `a\b`},
		{`\[a*`, "[a [ab", "a"},
		{" ", " ", ""},
	} {
		r, err := Exclude(c.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		paths := func(s string) []string {
			if c.pattern == " " {
				return []string{s}
			}
			return strings.Fields(s)
		}
		try := func(p string) bool {
			path, dir := strings.CutSuffix(p, "/")
			return r.matches([]byte(path), dir)
		}
		for _, p := range paths(c.match) {
			if !try(p) {
				t.Errorf("%q does not match %q", c.pattern, p)
			}
		}
		for _, p := range paths(c.other) {
			if try(p) {
				t.Errorf("%q matches %q", c.pattern, p)
			}
		}
	}
}

func TestFirstMatchingRuleDecides(t *testing.T) {
	rs := rules(t, "+ /keep/*.o", "- *.o", "+ *.txt", "- /notes/*")
	for path, want := range map[string]bool{"keep/a.o": true, "a.o": false, "keep/x/a.o": false, "notes/a.txt": true, "notes/a.md": false, "other": true} {
		if included(rs, []byte(path), false) != want {
			t.Errorf("%s: included is not %v", path, want)
		}
	}
}

func TestUnusableRulesAreRefused(t *testing.T) {
	for _, s := range []string{
		"", "foo", "+foo", "-foo", "+ ", "- ", "- /", "- //", "- a//b", "- a//", "- ./a", "- a/..", "- a/./b", "- [a", "- a[", "- [!", "- [a-", "- []",
		"- [[:nonsense:]]", "- [[:alpha", "- [z-a]", `- *\`, `- [\`, "- a\x00", "- " + strings.Repeat("a", 5000),
	} {
		r, err := ParseRule(s)
		if err == nil {
			t.Errorf("%.20q was taken for %v", s, r)
		} else if _, pattern, ok := strings.Cut(s, " "); ok && len(pattern) > 0 && len(pattern) < 20 && !strings.Contains(err.Error(), "pattern") {
			t.Errorf("%q: the message does not name the pattern: %v", s, err)
		}
	}
}

func TestNoPatternTakesForever(t *testing.T) {
	for _, p := range []string{"*a*a*a*a*a*a*a*a*a*a*b", "**a**a**a**a**a**a**a**b", "**/*a*/**/*a*/**/*a*b"} {
		r, err := Exclude(p)
		if err != nil {
			t.Fatal(err)
		}
		if r.matches([]byte(strings.Repeat("a", 4000)), false) || r.matches([]byte(strings.Repeat("a/", 2000)+"a"), false) {
			t.Errorf("%s matches", p)
		}
	}
}

// globSlowly is the language of glob in its plainest form.
func globSlowly(g glob, s []byte) bool {
	if len(g) == 0 {
		return len(s) == 0
	}
	switch g[0].kind {
	case star, starstar:
		if globSlowly(g[1:], s) {
			return true
		}
		return len(s) > 0 && (g[0].kind == starstar || s[0] != '/') && globSlowly(g, s[1:])
	}
	return len(s) > 0 && g[0].matches(s[0]) && globSlowly(g[1:], s[1:])
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b**c?[d-f]", "ab/xxc/f")
	f.Add("**/*a/*b", "x/y/a/ab")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 12 || len(s) > 16 {
			return
		}
		g, err := compileGlob(pattern)
		if err != nil {
			return
		}
		if got := g.match([]byte(s)); got != globSlowly(g, []byte(s)) {
			t.Errorf("%q and %q: %v", pattern, s, got)
		}
	})
}

// TestGlobMeetsItsDefinition tries all short strings, which finds what a short
// fuzz run does not.
func TestGlobMeetsItsDefinition(t *testing.T) {
	words := func(alphabet string, longest int) []string {
		all := []string{""}
		for from := 0; longest > 0; longest-- {
			for _, w := range all[from:len(all):len(all)] {
				for _, b := range alphabet {
					all = append(all, w+string(b))
				}
			}
			from = len(all) - pow(len(alphabet), len(all[len(all)-1]))
		}
		return all
	}
	texts := words("ab/", 5)
	for _, p := range words("ab/*?", 5) {
		g, err := compileGlob(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range texts {
			if g.match([]byte(s)) != globSlowly(g, []byte(s)) {
				t.Fatalf("%q and %q", p, s)
			}
		}
	}
}

func pow(b, n int) int {
	p := 1
	for range n {
		p *= b
	}
	return p
}

// TestRsyncAgrees asks rsync itself what it would copy under the same rules.
func TestRsyncAgrees(t *testing.T) {
	if _, err := exec.LookPath("rsync"); err != nil || testing.Short() {
		t.Skip("needs rsync and time")
	}
	root := t.TempDir()
	files(t, root, "foo", "a/foo", "a/b/foo", "foo.o", "a/foo.o", "b/foo/bar", "b/foo/x/bar", "b/foo/x/y/bar", "a/b/c/d/e.txt", "x[y", `back\slash`, "[a]", "empty/", "b/empty/", "*", "a/b/ab")
	for _, set := range []string{
		"- foo", "- /foo", "- foo/", "- /a/foo", "- foo/bar", "- foo/*", "- foo/**", "- foo/***", "- /b/foo/***", "- **/bar", "- **bar", "- /b/**/bar", "- b/**/bar",
		"- foo/**/bar", "- *", "- */", "- ***", "- a**", "- /a**", "- a*b", "- a**b", "- /*/foo", "- ?/foo", "- [ab]/foo", "- [!a]/foo", "- x[[]y", `- back\slash`, `- back\\s*`, `- \**`, `- \*?`,
		"+ */|+ *.o|- *", "+ /a/|+ /a/b/|+ /a/b/***|- *", "- /a/*|+ **/foo", "+ foo/x/***|- foo/x|- bar", "- a/b/", "- /a/b/**/*.txt", "- **/b/**", "- b/***", "- **/***", "- empty/",
	} {
		lines := strings.Split(set, "|")
		args := []string{"-rn", "--out-format=%n"}
		for _, l := range lines {
			args = append(args, "--filter="+l)
		}
		cmd := exec.Command("rsync", append(args, root+"/", root+"/nowhere")...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v", cmd.Args, err)
		}
		var theirs []string
		for l := range strings.Lines(string(out)) {
			if p := strings.TrimSuffix(l[:len(l)-1], "/"); p != "." && !strings.HasPrefix(p, "created directory") {
				theirs = append(theirs, p)
			}
		}
		var ours []string
		for _, s := range walk(t, root, WalkOptions{Rules: rules(t, lines...)})[1:] {
			if s.Excluded == "" {
				ours = append(ours, string(bytes.TrimPrefix(s.Entry.Path, []byte("folder/"))))
			}
		}
		slices.Sort(ours)
		slices.Sort(theirs)
		if !slices.Equal(ours, theirs) {
			t.Errorf("%s\nours   %q\ntheirs %q", set, ours, theirs)
		}
	}
}
