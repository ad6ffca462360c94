//go:build ignore

// core prints the sentences of core that the window shows, as xgettext reads
// them: those of errors, phases of a run, and why something was left out. They
// stand in English in core, which knows no translations.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
)

// The window has words of its own for some hints.
const overridden = "ui/hints.go"

var sources = []string{"core/explain.go", "core/explainhost.go", "core/progress/progress.go", "core/internal/localfs/item.go"}

func main() {
	ours := make(map[string]bool)
	each(overridden, func(n ast.Node) {
		if pair, ok := n.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.BasicLit); ok {
				ours[key.Value] = true
			}
		}
	})
	for _, path := range sources {
		each(path, func(n ast.Node) {
			switch n := n.(type) {
			case *ast.KeyValueExpr: // of a core.Message
				key, named := n.Key.(*ast.Ident)
				text, literal := n.Value.(*ast.BasicLit)
				if named && literal && text.Kind == token.STRING && !ours[text.Value] && (key.Name == "Title" || key.Name == "Safe" || key.Name == "Hint") {
					fmt.Printf("msg(%s);\n", text.Value)
				}
			case *ast.ValueSpec: // a typed constant
				kind, ok := n.Type.(*ast.Ident)
				if ok && (kind.Name == "Phase" || kind.Name == "ExcludeReason") && len(n.Values) == 1 {
					fmt.Printf("msg(%s);\n", n.Values[0].(*ast.BasicLit).Value)
				}
			}
		})
	}
}

func each(path string, do func(ast.Node)) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		log.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		do(n)
		return true
	})
}
