package ui

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"testing"
)

// A person at the window has no command line: advice to use one does not help.
func TestNoAdviceSpeaksOfTheCommandLine(t *testing.T) {
	commandLine := regexp.MustCompile(`--[a-z]|\b(this|same|the) command\b|sudo |“(status|snapshots|ls|make|manifest|backup|check|practice|gateway|restore|rehearse|host)\b`)
	found := make(map[string]bool)
	for _, hint := range adviceOfCore(t) {
		found[hint] = true
		if ours, ok := hints[hint]; ok {
			hint = ours
		}
		if commandLine.MatchString(hint) {
			t.Errorf("the window says %q: put other words into hints.go", hint)
		}
	}
	if len(found) < 50 {
		t.Fatalf("only %d hints were found in core", len(found))
	}
	for hint := range hints {
		if !found[hint] {
			t.Errorf("hints.go has words for %q, which core does not say any more", hint)
		}
	}
}

// adviceOfCore reads every hint of core's messages from their source.
func adviceOfCore(t *testing.T) (list []string) {
	t.Helper()
	for _, path := range []string{"../core/explain.go", "../core/explainhost.go"} {
		list = append(list, adviceIn(t, path)...)
	}
	return list
}

func adviceIn(t *testing.T, path string) (list []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		pair, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, named := pair.Key.(*ast.Ident)
		text, literal := pair.Value.(*ast.BasicLit)
		if !named || !literal || key.Name != "Hint" {
			return true
		}
		hint, err := strconv.Unquote(text.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, hint)
		return true
	})
	return list
}
