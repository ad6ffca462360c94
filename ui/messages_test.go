package ui

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// xgettext finds a message only as one literal in double quotes. What is not one
// has to come from where it is found in another way: see po/README.md.
func TestEveryMessageCanBeTranslated(t *testing.T) {
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range paths {
		if path == "text.go" || strings.HasSuffix(path, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name, ok := call.Fun.(*ast.Ident)
			messages, known := map[string]int{"T": 1, "N": 2, "X": 2, "msg": 1}[nameOf(name, ok)]
			if !known {
				return true
			}
			for _, arg := range call.Args[:messages] {
				found++
				switch arg := arg.(type) {
				case *ast.BasicLit:
					if !strings.HasPrefix(arg.Value, `"`) {
						t.Errorf("%s: %s is not in double quotes", set.Position(arg.Pos()), arg.Value)
					}
				case *ast.BinaryExpr:
					t.Errorf("%s: a message of several parts", set.Position(arg.Pos()))
				}
			}
			return true
		})
	}
	if found < 200 {
		t.Errorf("only %d messages were found", found)
	}
}

func nameOf(id *ast.Ident, ok bool) string {
	if !ok {
		return ""
	}
	return id.Name
}
