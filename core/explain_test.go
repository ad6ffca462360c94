package core

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// explained are the rooms whose errors reach people.
var explained = []string{".", "manifest", "node", "paper", "snapshot", "vault", "backup", "restore", "retain", "tor", "tor/tornet", "host", "../tahoeclient"}

func TestEveryErrorIsExplained(t *testing.T) {
	table, err := os.ReadFile("explain.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := os.ReadFile("explainhost.go")
	if err != nil {
		t.Fatal(err)
	}
	table = append(table, more...)
	found := 0
	for _, dir := range explained {
		for _, name := range exportedErrors(t, dir) {
			found++
			if dir != "." {
				name = filepath.Base(dir) + "." + name
			}
			if !strings.Contains(string(table), "{"+name+",") {
				t.Errorf("%s has no row: a person would see it unexplained", name)
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d errors were found; is the search broken?", found)
	}
}

func exportedErrors(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no source in %s: %v", dir, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			vars, ok := decl.(*ast.GenDecl)
			if !ok || vars.Tok != token.VAR {
				continue
			}
			for _, spec := range vars.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}

func TestMessagesSayWhatHappenedWhatIsSafeAndWhatToDo(t *testing.T) {
	for _, row := range explanations {
		m := Explain(fmt.Errorf("doing something: %w", row.err))
		if m.Title == "" || m.Safe == "" || m.Hint == "" || m.Exit == ExitDone || m.Detail == "" {
			t.Errorf("%v: %+v", row.err, m)
		}
		for _, s := range []string{m.Title, m.Safe, m.Hint} {
			if !strings.HasSuffix(s, ".") {
				t.Errorf("%q is no sentence", s)
			}
		}
	}
	if m := Explain(errors.New("never seen")); m.Exit != ExitFailed || !strings.Contains(m.Detail, "never seen") {
		t.Errorf("an unknown error: %+v", m)
	}
}

// A more general error must not hide a more precise one that stands below it.
func TestPreciseErrorsComeFirst(t *testing.T) {
	for i, row := range explanations {
		for _, later := range explanations[i+1:] {
			if errors.Is(later.err, row.err) {
				t.Errorf("%q can never be explained: %q comes first", later.err, row.err)
			}
		}
	}
}
