package tahoeclient_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

func TestStrangersAnswers(t *testing.T) {
	file := parse(t, "URI:CHK:"+key1+":"+hash1+":3:5:1000")
	dir := parse(t, "URI:DIR2:"+key1+":"+fp1)
	answer := func(status, header, body string) string {
		return "HTTP/1.1 " + status + "\r\n" + header + fmt.Sprintf("Content-Length: %d\r\nConnection: close\r\n\r\n", len(body)) + body
	}
	ctx := testContext(t)
	for name, text := range map[string]string{
		"no HTTP":               "220 smtp.example.org ESMTP\r\n",
		"no status":             "HTTP/1.1 None None\r\n\r\n",
		"no capability":         answer("200 OK", "", "hello"),
		"empty":                 answer("200 OK", "", ""),
		"other size":            answer("200 OK", "", "URI:CHK:"+key1+":"+hash1+":3:5:999"),
		"verify capability":     answer("200 OK", "", "URI:CHK-Verifier:"+key1+":"+hash1+":3:5:1000"),
		"directory":             answer("200 OK", "", "URI:DIR2:"+key1+":"+fp1),
		"page":                  answer("200 OK", "Content-Type: text/html\r\n", "<html></html>"),
		"not a pair":            answer("200 OK", "", `["dirnode"]`),
		"no children":           answer("200 OK", "", `["dirnode", {}]`),
		"odd children":          answer("200 OK", "", `["dirnode", {"children": []}]`),
		"unknown":               answer("200 OK", "", `["unknown", {}]`),
		"redirect":              answer("302 Found", "Location: http://example.org/\r\n", ""),
		"not modified":          answer("304 Not Modified", "", ""),
		"other range":           answer("206 Partial Content", "Content-Range: bytes 1-1000/1001\r\n", strings.Repeat("x", 1000)),
		"no range":              answer("206 Partial Content", "", strings.Repeat("x", 1000)),
		"long header":           "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 200_000) + "\r\n\r\n",
		"capability in garbage": "URI:CHK:" + key1 + ":" + hash1 + ":3:5:999\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, says(t, text), tahoeclient.Options{Attempts: 2})
			check := func(err error) {
				t.Helper()
				if err == nil {
					t.Error("taken for a success")
					return
				}
				for _, secret := range []string{key1, hash1, fp1, url.QueryEscape("URI:")} {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("tells a secret: %v", err)
					}
				}
			}
			_, err := c.Put(ctx, bytes.NewReader(make([]byte, 1000)), 1000)
			check(err)
			_, err = c.ReadAll(ctx, file, 0, -1)
			check(err)
			_, err = c.ReadDir(ctx, dir)
			check(err)
			_, err = c.Check(ctx, file, tahoeclient.CheckOptions{Repair: true})
			check(err)
			_, err = c.Version(ctx)
			check(err)
			if name != "directory" { // which is right for this one
				_, err = c.MakeDir(ctx, map[string]tahoeclient.Child{"a": {Cap: file}})
				check(err)
			}
		})
	}
}

func TestErrorsTellNoSecrets(t *testing.T) {
	g := tahoetest.NewGateway(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := client(t, g.Socket(), tahoeclient.Options{Attempts: 2, IdleTimeout: time.Second, Logger: logger})
	file, dir := put(t, c, tahoetest.Bytes(1, 1000)), makeDir(t, c, "a")
	readOnly, err := dir.ReadOnly()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := file.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	secrets := []tahoeclient.Cap{file, dir, readOnly, verifier}
	ctx := testContext(t)

	var errs []error
	all := func() {
		_, err := c.Put(ctx, bytes.NewReader(tahoetest.Bytes(2, 100)), 100)
		errs = append(errs, err)
		for _, at := range secrets {
			_, err = c.Get(ctx, at, 0, -1)
			errs = append(errs, err)
			_, err = c.ReadAll(ctx, at, 0, -1)
			errs = append(errs, err)
			_, err = c.ReadAll(ctx, at, 2000, 5)
			errs = append(errs, err)
			_, err = c.ReadDir(ctx, at)
			errs = append(errs, err)
			_, err = c.Describe(ctx, at)
			errs = append(errs, err)
			_, err = c.MakeDir(ctx, map[string]tahoeclient.Child{"a": {Cap: at}})
			errs = append(errs, err)
			_, err = c.Check(ctx, at, tahoeclient.CheckOptions{Repair: true})
			errs = append(errs, err)
			errs = append(errs, c.Link(ctx, at, "a", file, false), c.Unlink(ctx, at, "zz"), c.Link(ctx, dir, "a", at, false))
		}
	}
	all()
	for _, status := range []int{400, 404, 405, 409, 410, 500, 503} {
		for _, at := range secrets {
			body := "before " + at.Secret() + "\n<p>at /uri/" + url.QueryEscape(at.Secret()) + "?t=json</p>\nallmydata.x.SomeError: " + at.Secret()
			g.Fail(1000, status, body)
			all()
			g.Behave()
		}
	}
	g.Drop(1000)
	all()
	g.Behave()
	g.Stop()
	all()

	tried := 0
	for _, err := range errs {
		if err == nil {
			continue
		}
		tried++
		var texts []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
			texts = append(texts, fmt.Sprintf(verb, err))
		}
		var buf bytes.Buffer
		slog.New(slog.NewJSONHandler(&buf, nil)).Error("failed", "error", err)
		slog.New(slog.NewTextHandler(&buf, nil)).Error("failed", "error", err)
		for _, text := range append(texts, buf.String()) {
			for _, at := range secrets {
				leaks(t, text, at)
			}
		}
	}
	for _, at := range secrets {
		leaks(t, log.String(), at)
	}
	if tried < 200 || log.Len() == 0 {
		t.Errorf("only %d errors and %d bytes of log were looked at", tried, log.Len())
	}
}

func leaks(t *testing.T, text string, at tahoeclient.Cap) {
	t.Helper()
	for _, part := range strings.Split(at.Secret(), ":") {
		if len(part) > 20 && strings.Contains(text, part) {
			t.Fatalf("tells %s of %v: %s", part, at, text)
		}
	}
}
