package tahoeclient_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"hiddenbackup/tahoeclient"
)

const (
	key1  = "zhj4dy3h2jmpes2jypsuxfeb6y"
	hash1 = "mtmgg3jajqo5enxa5bu3wmkio4udzbhwl5i2peuj3rjlyqb7odba"
	fp1   = "64spbxlet4w6r4vai5lej3jy5rz43lpizf7gdr2awhbpzzbu4pha"
)

func parse(t testing.TB, s string) tahoeclient.Cap {
	t.Helper()
	c, err := tahoeclient.ParseCap(s)
	if err != nil {
		t.Fatalf("ParseCap(%q): %v", s, err)
	}
	return c
}

func TestParseCapKnowsEveryForm(t *testing.T) {
	k := key1 + ":" + hash1
	tests := []struct {
		text              string
		kind              tahoeclient.Kind
		dir, mutable      bool
		canRead, canWrite bool
		size              int64 // -1: none
	}{
		{"URI:LIT:", tahoeclient.KindLIT, false, false, true, false, 0},
		{"URI:LIT:nbswy3dp", tahoeclient.KindLIT, false, false, true, false, 5},
		{"URI:LIT:" + strings.Repeat("a", 88), tahoeclient.KindLIT, false, false, true, false, 55},
		{"URI:CHK:" + k + ":3:5:100000", tahoeclient.KindCHK, false, false, true, false, 100000},
		{"URI:CHK:" + k + ":1:1:0", tahoeclient.KindCHK, false, false, true, false, 0},
		{"URI:CHK:" + k + ":256:256:9223372036854775807", tahoeclient.KindCHK, false, false, true, false, 1<<63 - 1},
		{"URI:CHK-Verifier:" + k + ":3:5:100000", tahoeclient.KindCHKVerifier, false, false, false, false, 100000},
		{"URI:SSK:" + k, tahoeclient.KindSSK, false, true, true, true, -1},
		{"URI:SSK-RO:" + k, tahoeclient.KindSSKRO, false, true, true, false, -1},
		{"URI:SSK-Verifier:" + k, tahoeclient.KindSSKVerifier, false, true, false, false, -1},
		{"URI:MDMF:" + k, tahoeclient.KindMDMF, false, true, true, true, -1},
		{"URI:MDMF:" + k + ":3:131073", tahoeclient.KindMDMF, false, true, true, true, -1},
		{"URI:MDMF-RO:" + k, tahoeclient.KindMDMFRO, false, true, true, false, -1},
		{"URI:MDMF-Verifier:" + k + ":", tahoeclient.KindMDMFVerifier, false, true, false, false, -1},
		{"URI:DIR2:" + k, tahoeclient.KindDir2, true, true, true, true, -1},
		{"URI:DIR2-RO:" + k, tahoeclient.KindDir2RO, true, true, true, false, -1},
		{"URI:DIR2-Verifier:" + k, tahoeclient.KindDir2Verifier, true, true, false, false, -1},
		{"URI:DIR2-MDMF:" + k, tahoeclient.KindDir2MDMF, true, true, true, true, -1},
		{"URI:DIR2-MDMF-RO:" + k, tahoeclient.KindDir2MDMFRO, true, true, true, false, -1},
		{"URI:DIR2-MDMF-Verifier:" + k, tahoeclient.KindDir2MDMFVerifier, true, true, false, false, -1},
		{"URI:DIR2-CHK:" + k + ":3:5:100", tahoeclient.KindDir2CHK, true, false, true, false, -1},
		{"URI:DIR2-CHK-Verifier:" + k + ":3:5:100", tahoeclient.KindDir2CHKVerifier, true, false, false, false, -1},
		{"URI:DIR2-LIT:nbswy3dp", tahoeclient.KindDir2LIT, true, false, true, false, -1},
	}
	for _, tt := range tests {
		c := parse(t, tt.text)
		if c.Secret() != tt.text || c != parse(t, strings.Clone(tt.text)) {
			t.Errorf("%s: not itself", tt.text)
		}
		if c.Kind() != tt.kind || c.IsDirectory() != tt.dir || c.IsMutable() != tt.mutable ||
			c.CanRead() != tt.canRead || c.CanWrite() != tt.canWrite {
			t.Errorf("%s: kind %v, directory %v, mutable %v, read %v, write %v", tt.text, c.Kind(),
				c.IsDirectory(), c.IsMutable(), c.CanRead(), c.CanWrite())
		}
		if size, ok := c.Size(); ok != (tt.size >= 0) || (ok && size != tt.size) {
			t.Errorf("%s: size %d, %v", tt.text, size, ok)
		}
		if !strings.HasPrefix(tt.text, "URI:"+c.Kind().String()+":") {
			t.Errorf("%s: called %v", tt.text, c.Kind())
		}
	}
}

func TestEncoding(t *testing.T) {
	needed, total, ok := parse(t, "URI:CHK:"+key1+":"+hash1+":3:5:10").Encoding()
	if needed != 3 || total != 5 || !ok {
		t.Errorf("got %d of %d, %v", needed, total, ok)
	}
	if _, _, ok := parse(t, "URI:DIR2:"+key1+":"+hash1).Encoding(); ok {
		t.Error("a mutable directory states an encoding")
	}
}

func TestParseCapRefuses(t *testing.T) {
	chk := "URI:CHK:" + key1 + ":" + hash1
	bad := map[string]string{
		"empty":                 "",
		"no prefix":             "CHK:" + key1 + ":" + hash1 + ":3:5:1",
		"lower case prefix":     "uri:CHK:" + key1 + ":" + hash1 + ":3:5:1",
		"space before":          " " + chk + ":3:5:1",
		"newline after":         chk + ":3:5:1\n",
		"unknown kind":          "URI:XYZ:" + key1 + ":" + hash1,
		"no kind":               "URI:",
		"kind alone":            "URI:CHK",
		"future read":           "ro." + chk + ":3:5:1",
		"future immutable":      "imm." + chk + ":3:5:1",
		"short key":             "URI:CHK:" + key1[1:] + ":" + hash1 + ":3:5:1",
		"impossible last key":   "URI:CHK:" + key1[:25] + "b:" + hash1 + ":3:5:1",
		"impossible last hash":  "URI:CHK:" + key1 + ":" + hash1[:51] + "b:3:5:1",
		"upper case key":        "URI:CHK:" + strings.ToUpper(key1) + ":" + hash1 + ":3:5:1",
		"line break in key":     "URI:CHK:" + key1[:10] + "\n" + key1[10:] + ":" + hash1 + ":3:5:1",
		"padding":               "URI:CHK:" + key1 + "======:" + hash1 + ":3:5:1",
		"percent-encoded":       strings.ReplaceAll(chk+":3:5:1", ":", "%3A"),
		"no numbers":            chk,
		"one number less":       chk + ":3:5",
		"one number more":       chk + ":3:5:1:1",
		"nothing needed":        chk + ":0:5:1",
		"more needed than made": chk + ":6:5:1",
		"too many shares":       chk + ":3:257:1",
		"plus sign":             chk + ":+3:5:1",
		"minus sign":            chk + ":3:5:-1",
		"leading zero":          chk + ":03:5:1",
		"zero twice":            chk + ":3:5:00",
		"size above int64":      chk + ":3:5:9223372036854775808",
		"empty number":          chk + ":3::1",
		"hexadecimal":           chk + ":3:5:0x10",
		"full-width digit":      chk + ":3:5:１",
		"literal too long":      "URI:LIT:" + strings.Repeat("a", 90),
		"literal of bad length": "URI:LIT:a",
		"literal of bad bits":   "URI:LIT:ab",
		"mutable with tail":     "URI:SSK:" + key1 + ":" + hash1 + ":3",
		"mutable with one part": "URI:DIR2:" + key1,
		"hint with line break":  "URI:MDMF:" + key1 + ":" + hash1 + ":3\n4",
		"hint too long":         "URI:MDMF:" + key1 + ":" + hash1 + ":" + strings.Repeat("3", 500),
		"path behind":           "URI:DIR2:" + key1 + ":" + hash1 + "/a",
	}
	for name, text := range bad {
		t.Run(name, func(t *testing.T) {
			c, err := tahoeclient.ParseCap(text)
			if !errors.Is(err, tahoeclient.ErrBadCap) || !c.IsZero() {
				t.Fatalf("got %v, %v", c, err)
			}
			if len(text) > 5 && strings.Contains(err.Error(), text[4:]) {
				t.Error("the error tells the input")
			}
		})
	}
}

// The answers of a real gateway.
func TestDerivationsMatchTahoe(t *testing.T) {
	const sskFP = "bwk5f6zbql77varto573bji3w4ps5m7n4h7h6crgl67t3v5yrygq"
	tests := []struct{ from, readOnly, verify, index string }{
		{"URI:CHK:" + key1 + ":" + hash1 + ":3:5:100000", "URI:CHK:" + key1 + ":" + hash1 + ":3:5:100000",
			"URI:CHK-Verifier:y4j2xfg7nmkn7255jqjmls3woa:" + hash1 + ":3:5:100000", "y4j2xfg7nmkn7255jqjmls3woa"},
		{"URI:DIR2:qkezunmgtzrroghl7l5w3ctjyu:" + fp1, "URI:DIR2-RO:qmp7wap2wwbvvynj4qjbuebjli:" + fp1,
			"URI:DIR2-Verifier:mi76lj2yshgiypp64e7ioksvwm:" + fp1, "mi76lj2yshgiypp64e7ioksvwm"},
		{"URI:SSK:fju3a3hrzahr7yetckkhhffzba:" + sskFP, "URI:SSK-RO:rs2r6o6q7nivdvtw64uxcjcjbe:" + sskFP,
			"URI:SSK-Verifier:ejduuosnjhqs2myr7bezjzbr4a:" + sskFP, "ejduuosnjhqs2myr7bezjzbr4a"},
		{"URI:MDMF:fju3a3hrzahr7yetckkhhffzba:" + sskFP + ":3:131073", "URI:MDMF-RO:rs2r6o6q7nivdvtw64uxcjcjbe:" + sskFP,
			"URI:MDMF-Verifier:ejduuosnjhqs2myr7bezjzbr4a:" + sskFP, "ejduuosnjhqs2myr7bezjzbr4a"},
		{"URI:DIR2-MDMF:fju3a3hrzahr7yetckkhhffzba:" + sskFP, "URI:DIR2-MDMF-RO:rs2r6o6q7nivdvtw64uxcjcjbe:" + sskFP,
			"URI:DIR2-MDMF-Verifier:ejduuosnjhqs2myr7bezjzbr4a:" + sskFP, "ejduuosnjhqs2myr7bezjzbr4a"},
		{"URI:DIR2-CHK:" + key1 + ":" + hash1 + ":3:5:9", "URI:DIR2-CHK:" + key1 + ":" + hash1 + ":3:5:9",
			"URI:DIR2-CHK-Verifier:y4j2xfg7nmkn7255jqjmls3woa:" + hash1 + ":3:5:9", "y4j2xfg7nmkn7255jqjmls3woa"},
	}
	for _, tt := range tests {
		from, readOnly, verify := parse(t, tt.from), parse(t, tt.readOnly), parse(t, tt.verify)
		for _, c := range []tahoeclient.Cap{from, readOnly} {
			if got, err := c.ReadOnly(); err != nil || got != readOnly {
				t.Errorf("%s: ReadOnly is %s, %v", c.Secret(), got.Secret(), err)
			}
		}
		for _, c := range []tahoeclient.Cap{from, readOnly, verify} {
			if got, err := c.Verifier(); err != nil || got != verify {
				t.Errorf("%s: Verifier is %s, %v", c.Secret(), got.Secret(), err)
			}
			if got, ok := c.StorageIndex(); !ok || got != tt.index {
				t.Errorf("%s: StorageIndex is %s, %v", c.Secret(), got, ok)
			}
		}
		if _, err := verify.ReadOnly(); !errors.Is(err, tahoeclient.ErrBadCap) {
			t.Errorf("%s became readable: %v", verify.Secret(), err)
		}
	}
}

func TestLiteralsAndNothingHaveNoVerifier(t *testing.T) {
	for _, c := range []tahoeclient.Cap{{}, parse(t, "URI:LIT:nbswy3dp"), parse(t, "URI:DIR2-LIT:nbswy3dp")} {
		if _, err := c.Verifier(); !errors.Is(err, tahoeclient.ErrBadCap) {
			t.Errorf("%v: %v", c, err)
		}
		if si, ok := c.StorageIndex(); ok || si != "" {
			t.Errorf("%v has a storage index", c)
		}
	}
	var none tahoeclient.Cap
	if _, err := none.ReadOnly(); !errors.Is(err, tahoeclient.ErrBadCap) {
		t.Error(err)
	}
	if none.Secret() != "" || none.Kind() != tahoeclient.KindNone || none.CanRead() || none.CanWrite() || !none.IsZero() {
		t.Error("the zero Cap is something")
	}
}

func TestCapNeverPrintsItself(t *testing.T) {
	type inner struct {
		c    tahoeclient.Cap
		caps []tahoeclient.Cap
		m    map[tahoeclient.Cap]int
	}
	type outer struct {
		C tahoeclient.Cap
		P *tahoeclient.Cap
		inner
	}
	c := parse(t, "URI:CHK:"+key1+":"+hash1+":3:5:100000")
	lit := parse(t, "URI:LIT:nbswy3dp")
	o := outer{C: c, P: &c, inner: inner{c: c, caps: []tahoeclient.Cap{c, lit}, m: map[tahoeclient.Cap]int{c: 1, lit: 2}}}
	err := fmt.Errorf("wrapped: %w: %v", tahoeclient.ErrBadCap, c)
	values := []any{c, &c, lit, o, &o, []any{c, o}, map[string]any{"c": c, "o": o}, err, [1]tahoeclient.Cap{c}, struct{ c *tahoeclient.Cap }{&c}}

	check := func(how, text string) {
		t.Helper()
		for _, secret := range []string{key1, key1[:12], hash1[:12], "URI:", "nbswy3dp",
			fmt.Sprintf("%x", key1[:12]), fmt.Sprintf("%X", key1[:12]), fmt.Sprintf("% x", key1[:6]), fmt.Sprint([]byte(key1[:6]))} {
			if strings.Contains(text, strings.Trim(secret, "[]")) {
				t.Errorf("%s prints %s", how, text)
				return
			}
		}
	}
	for _, v := range values {
		for _, verb := range "vsqdxXtTbcoOUeEfFgGpw" {
			for _, flags := range []string{"", "+", "#", " ", "-40", "0", ".3", "+#", "# "} {
				format := "%" + flags + string(verb)
				check(fmt.Sprintf("%s of %T", format, v), fmt.Sprintf(format, v))
			}
		}
		check("Sprint", fmt.Sprint(v))
		check("Sprintln", fmt.Sprintln(v))
		var buf bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&buf, nil), slog.NewJSONHandler(&buf, nil)} {
			slog.New(h).Info("message", "value", v, slog.Group("group", "value", v))
		}
		check("slog", buf.String())
		if text, err := json.Marshal(v); err == nil {
			check("json", string(text))
		}
		buf.Reset()
		if err := gob.NewEncoder(&buf).Encode(v); err == nil {
			check("gob", buf.String())
		}
		buf.Reset()
		if err := xml.NewEncoder(&buf).Encode(v); err == nil {
			check("xml", buf.String())
		}
		buf.Reset()
		if err := template.Must(template.New("").Parse(`{{.}} {{printf "%#v" .}} {{js .}} {{html .}}`)).Execute(&buf, v); err == nil {
			check("template", buf.String())
		}
	}
	if got := fmt.Sprintf("%v %s %+v %#v", c, c, c, c); strings.Count(got, "CHK[") != 4 {
		t.Errorf("redacted form: %s", got)
	}
	if a, b := c.String(), lit.String(); a == b || !strings.HasPrefix(b, "LIT[") || len(b) != len("LIT[]")+8 {
		t.Errorf("redacted forms: %s %s", a, b)
	}
	if got := fmt.Sprintf("%16s|%q", lit, lit); len(got) != 16+1+len(lit.String())+2 {
		t.Errorf("width and quotes: %s", got)
	}
	if got := fmt.Sprint(tahoeclient.Cap{}); got != "no capability" {
		t.Errorf("the zero Cap prints %s", got)
	}
}

func FuzzParseCap(f *testing.F) {
	for _, s := range []string{
		"", "URI:", "URI:LIT:", "URI:LIT:nbswy3dp", "URI:CHK:" + key1 + ":" + hash1 + ":3:5:100000",
		"URI:CHK-Verifier:" + key1 + ":" + hash1 + ":3:5:1", "URI:SSK:" + key1 + ":" + hash1,
		"URI:MDMF-RO:" + key1 + ":" + hash1 + ":3:131073", "URI:DIR2:" + key1 + ":" + fp1,
		"URI:DIR2-CHK:" + key1 + ":" + hash1 + ":1:1:1", "URI:DIR2-LIT:nbswy3dp",
		"ro.URI:CHK:x", "URI:CHK::::::", "URI:LIT:\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := tahoeclient.ParseCap(s)
		if err != nil {
			if !errors.Is(err, tahoeclient.ErrBadCap) || !c.IsZero() || len(err.Error()) > 100 {
				t.Fatalf("%v %v", c, err)
			}
			return
		}
		if c.Secret() != s || c.IsZero() || c.Kind() == tahoeclient.KindNone {
			t.Fatalf("%q became %q", s, c.Secret())
		}
		derived := []func() (tahoeclient.Cap, error){c.ReadOnly, c.Verifier}
		for _, derive := range derived {
			d, err := derive()
			if err != nil {
				continue
			}
			if again, err := tahoeclient.ParseCap(d.Secret()); err != nil || again != d {
				t.Fatalf("%q derives %q: %v", s, d.Secret(), err)
			}
			a, _ := c.StorageIndex()
			b, _ := d.StorageIndex()
			if a != b || d.CanWrite() || d.IsDirectory() != c.IsDirectory() {
				t.Fatalf("%q derives %q", s, d.Secret())
			}
		}
	})
}
