package assets

import (
	"encoding/xml"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// object is a widget of a .ui file.
type object struct{ id, class string }

// objects reads the widgets of a .ui file and reports what no file may have.
func objects(t *testing.T, path string) (ids map[string]string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ids = make(map[string]string)
	for d := xml.NewDecoder(f); ; {
		token, err := d.Token()
		if token == nil {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		o := object{attr(start, "id"), attr(start, "class")}
		switch {
		case start.Name.Local == "signal":
			t.Errorf("%s has a signal: connect it in Go, where a wrong name does not compile", path)
		case start.Name.Local == "property" && sided(attr(start, "name")):
			t.Errorf("%s: %s is the wrong side in Arabic; use start and end", path, attr(start, "name"))
		case start.Name.Local != "object" || o.id == "" || o.class == "AtkObject":
		case ids[o.id] != "":
			t.Errorf("%s has two widgets %q", path, o.id)
		default:
			ids[o.id] = o.class
		}
	}
	return ids
}

func sided(property string) bool {
	return strings.HasSuffix(property, "-left") || strings.HasSuffix(property, "-right")
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// bound reads which widgets a Go file binds, by id, and which .ui file it loads.
func bound(t *testing.T, path string) (ids map[string]string, loads []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ids = make(map[string]string)
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if n.Tag == nil {
				return true
			}
			id, ok := reflect.StructTag(strings.Trim(n.Tag.Value, "`")).Lookup("ui")
			if !ok {
				return true
			}
			if ids[id] != "" {
				t.Errorf("%s binds %q twice", path, id)
			}
			ids[id] = class(n.Type)
		case *ast.CallExpr:
			if name := called(n); (name == "load" || name == "newPage") && len(n.Args) > 1 {
				if lit, ok := n.Args[0].(*ast.BasicLit); ok {
					loads = append(loads, strings.Trim(lit.Value, `"`))
				}
			}
		}
		return true
	})
	return ids, loads
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// class turns *gtk.Button into GtkButton.
func class(e ast.Expr) string {
	star, ok := e.(*ast.StarExpr)
	if !ok {
		return "no widget"
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	if !ok {
		return "no widget"
	}
	return "Gtk" + sel.Sel.Name
}

// own are what the window takes from every page by itself.
var own = map[string]string{"content": "GtkBox", "actions": "GtkBox"}

// gotk3 finds a missing widget only when the page is opened, in front of the
// person. Here it is found without a screen.
func TestPagesAndTheirFilesFit(t *testing.T) {
	goFiles, err := filepath.Glob("../ui/*.go")
	if err != nil || len(goFiles) == 0 {
		t.Fatal("no page was found: ", err)
	}
	loaded := make(map[string]bool)
	for _, path := range goFiles {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		ids, loads := bound(t, path)
		name := strings.TrimSuffix(filepath.Base(path), ".go")
		switch {
		case len(ids) == 0 && len(loads) == 0:
			continue
		case len(loads) != 1 || loads[0] != name:
			t.Errorf("%s loads %q: a page and its .ui file have one name", path, loads)
			continue
		}
		loaded[name] = true
		there := objects(t, "ui/"+name+".ui")
		for id, class := range ids {
			if there[id] != class {
				t.Errorf("%s binds %q as %s, which %s.ui has as %q", path, id, class, name, there[id])
			}
		}
		for id, class := range there {
			switch want, ours := own[id]; {
			case ours && class != want:
				t.Errorf("%s.ui: %q is a %s, not a %s", name, id, class, want)
			case !ours && ids[id] == "" && !pointedAt(t, name, id):
				t.Errorf("%s.ui names %q, which nothing uses", name, id)
			}
		}
		if name != "window" && there["content"] == "" {
			t.Errorf("%s.ui has no “content”", name)
		}
	}
	files, err := filepath.Glob("ui/*.ui")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if name := strings.TrimSuffix(filepath.Base(path), ".ui"); !loaded[name] {
			t.Errorf("%s is loaded by nothing", path)
		}
	}
}

// pointedAt reports whether the file itself needs the id: as the widget of a
// label's mnemonic or the first of a radio group, or for its accessible name.
func pointedAt(t *testing.T, name, id string) bool {
	text, err := UI(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(text, fmt.Sprintf(">%s</property>", id)) || strings.Contains(text, fmt.Sprintf(`"%s-atkobject"`, id))
}

// Two things on one page with the same letter: Alt and the letter presses neither.
func TestMnemonicsAreUnique(t *testing.T) {
	files, err := filepath.Glob("ui/*.ui")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		taken := make(map[string]string)
		for _, m := range mnemonic.FindAllStringSubmatch(string(text), -1) {
			letter := strings.ToLower(m[2])
			if other := taken[letter]; other != "" {
				t.Errorf("%s: Alt+%s is “%s” and “%s”", path, letter, other, m[1])
			}
			taken[letter] = m[1]
		}
	}
}

var mnemonic = regexp.MustCompile(`<property name="label" translatable="yes">([^<_]*_(\pL)[^<]*)</property>`)

// A colour of our own is unreadable in somebody's theme.
func TestTheStyleSheetHasNoColourOfItsOwn(t *testing.T) {
	for _, word := range []string{"#", "rgb", "color:", "background:"} {
		if strings.Contains(strings.ReplaceAll(Style(), "theme_", ""), word) {
			t.Errorf("the style sheet has %q", word)
		}
	}
}
