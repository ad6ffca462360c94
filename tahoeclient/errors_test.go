package tahoeclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

const (
	secretKey  = "zhj4dy3h2jmpes2jypsuxfeb6y"
	secretHash = "mtmgg3jajqo5enxa5bu3wmkio4udzbhwl5i2peuj3rjlyqb7odba"
	secretURI  = "URI:CHK:" + secretKey + ":" + secretHash + ":3:5:100000"
)

func traceback(last string) string {
	return "Traceback (most recent call last):\n  File \"/usr/lib/python3/dist-packages/allmydata/immutable/upload.py\", line 895, in _failed\n" +
		"    raise UploadUnhappinessError(msg)\n" + last + "\n"
}

// What gateways of version 1.20 said.
var answers = []struct {
	name, contentType string
	status            int
	body              string
	want              error // nil: a plain Error
	temporary         bool
	detail            string // part of it
}{
	{"unhappy upload", "text/plain;charset=utf-8", 500,
		traceback("allmydata.interfaces.UploadUnhappinessError: server selection failed for <Tahoe2ServerSelector for upload b'y4j2x'>: shares could be placed or found on only 2 server(s)."),
		ErrUnhappy, true, "only 2 server(s)"},
	{"upload without servers", "text/plain;charset=utf-8", 500,
		traceback("allmydata.interfaces.NoServersError: client gave us zero servers"), ErrUnhappy, true, "zero servers"},
	{"mkdir without servers", "text/plain;charset=utf-8", 500,
		traceback("allmydata.mutable.common.NotEnoughServersError: ('Ran out of non-bad servers, first_error=None', None)"), ErrUnhappy, true, "Ran out"},
	{"too few shares", "text/plain;charset=utf-8", 410,
		"NotEnoughSharesError: This indicates that some servers were unavailable.\n\nThe full error message is:\nran out of shares: complete= pending=Share(sh0-on-rbysav47) overdue= unused= need 3. Last failure: None",
		ErrNotEnoughShares, true, "some servers were unavailable"},
	{"no shares", "text/plain;charset=utf-8", 410,
		"NoSharesError: no shares could be found. Zero shares usually indicates a corrupt URI.\n\nThe full error message is:\nno shares (need 3). Last failure: None",
		ErrGone, false, "no shares could be found"},
	{"a quoted exception does not count", "text/plain;charset=utf-8", 410,
		"NotEnoughSharesError: text.\n\nThe full error message is:\nNoSharesError: a server made this up", ErrNotEnoughShares, true, "text"},
	{"nor does one in a traceback", "text/plain;charset=utf-8", 500,
		traceback("[Failure instance: Traceback:\nNoSharesError: a server made this up\n]\nallmydata.interfaces.UploadUnhappinessError: last"), ErrUnhappy, true, "last"},
	{"unrecoverable directory", "text/html", 410,
		`{"error": "UnrecoverableFileError: the directory (or mutable file) could not be retrieved, because there were insufficient good shares."}`,
		ErrNotEnoughShares, true, "could not be retrieved"},
	{"unknown reason to be gone", "text/plain", 410, "gone", ErrNotEnoughShares, true, "gone"},
	{"name taken", "text/plain;charset=utf-8", 409,
		"There was already a child by that name, and you asked me to not replace it.", ErrConflict, false, "already a child"},
	{"two writers", "text/plain;charset=utf-8", 500,
		traceback("allmydata.mutable.common.UncoordinatedWriteError: I was surprised!"), ErrConflict, false, "surprised"},
	{"two writers, by accident", "text/plain;charset=utf-8", 500,
		traceback("builtins.KeyError: (4, b'x', b'y')"), nil, true, "KeyError"},
	{"no child", "text/plain;charset=utf-8", 404, "No such child: zz", ErrNoChild, false, "No such child: zz"},
	{"no child, as a page", "text/html; charset=utf-8", 404,
		"\n<html>\n  <head><title>404 - Error</title></head>\n  <body>\n<h1>Error</h1>\n<p>No such child: a &amp; b</p></body></html>", ErrNoChild, false, "No such child: a & b"},
	{"read-only directory", "text/plain;charset=utf-8", 500,
		"Traceback (most recent call last):\nFailure: allmydata.mutable.common.NotWriteableError: \n", ErrNotWritable, false, ""},
	{"read-only file", "text/plain;charset=utf-8", 400,
		"PUT to a mutable file: replace or update requested with read-only cap", ErrNotWritable, false, ""},
	{"bad capability", "text/plain;charset=utf-8", 400,
		"GET unknown URI type: can only do t=info and t=json, not t=.\nUsing a webapi server that supports a later version of Tahoe may help.", ErrBadCap, false, ""},
	{"quoted capability", "text/plain;charset=utf-8", 400,
		"'" + secretURI + "' is not a valid file- or directory- cap", ErrBadCap, false, "[capability]"},
	{"refused method quotes the URL", "text/html; charset=utf-8", 405,
		"\n<html>\n  <head><title>405 - Method Not Allowed</title></head>\n  <body>\n    <h1>Method Not Allowed</h1>\n    <p>Your browser approached me (at /uri/" + url.QueryEscape(secretURI) + "?t=check&amp;output=JSON) with the method \"POST\".  I only allow the methods HEAD, GET here.</p>\n  </body>\n</html>\n",
		nil, false, "I only allow"},
	{"bug of the gateway", "text/plain;charset=utf-8", 500,
		traceback("builtins.AttributeError: 'CiphertextFileNode' object has no attribute 'get_write_uri'"), nil, true, "AttributeError"},
	{"page of a bug", "text/html", 500, "<html><head><title>Exception</title></head><body>boom</body></html>", nil, true, "boom"},
	{"nothing said", "", 500, "", nil, true, ""},
	{"not there yet", "", 503, "starting", nil, true, "starting"},
	{"bad request", "text/plain", 400, "Unknown format: zip, I know CHK, SDMF, MDMF", nil, false, "Unknown format"},
}

func TestAnswersBecomeErrors(t *testing.T) {
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			var err error = answerError("testing", tt.status, tt.contentType, []byte(tt.body))
			for _, sentinel := range []error{ErrUnhappy, ErrNotEnoughShares, ErrGone, ErrNotAnswering, ErrBadCap, ErrConflict, ErrNoChild, ErrShortRead, ErrNotWritable} {
				if errors.Is(err, sentinel) != (sentinel == tt.want) {
					t.Errorf("%v: Is %q = %v", err, sentinel, errors.Is(err, sentinel))
				}
			}
			var e *Error
			if !errors.As(err, &e) || e.Status != tt.status || e.Op != "testing" {
				t.Errorf("%#v", err)
			}
			if !strings.Contains(e.Detail, tt.detail) {
				t.Errorf("detail %q lacks %q", e.Detail, tt.detail)
			}
			if Temporary(fmt.Errorf("wrapped: %w", err)) != tt.temporary {
				t.Errorf("%v: temporary is not %v", err, tt.temporary)
			}
			noSecret(t, err)
		})
	}
}

func noSecret(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(format, err)
			for _, secret := range []string{secretKey[:12], secretHash[:12], "URI:", "URI%3A", fmt.Sprintf("%x", secretKey[:12])} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T tells a secret: %s", format, err, text)
				}
			}
		}
	}
}

func TestRedact(t *testing.T) {
	for _, text := range []string{
		secretURI,
		"at /uri/" + url.QueryEscape(secretURI) + "/name",
		"at /uri/" + url.QueryEscape(url.QueryEscape(secretURI)),
		"at /uri/" + strings.ToLower(url.QueryEscape(secretURI)),
		"b'" + secretURI + "', and more",
		"(" + secretURI + ")",
		"URI:\n" + secretKey,
		"cut " + secretURI[10:],
		"key=" + secretKey,
		"pb://" + secretKey + "aaaaaa@tor:host.onion:3457/" + secretKey,
		"private-key=" + strings.Repeat("MIIEvQIBADANBgkq", 9),
	} {
		got := redact(text)
		for _, secret := range []string{secretKey, secretHash, secretKey[10:], "MIIEvQIBADANBgkq"} {
			if strings.Contains(strings.ToLower(got), strings.ToLower(secret)) {
				t.Errorf("%q became %q", text, got)
			}
		}
	}
	if got := redact("two\nlines \x1b[31mred\x00"); got != "two lines [31mred" {
		t.Errorf("control characters: %q", got)
	}
	if got := redact("allmydata.interfaces.UploadUnhappinessError: text"); got != "allmydata.interfaces.UploadUnhappinessError: text" {
		t.Errorf("harmless text became %q", got)
	}
	if got := redact(strings.Repeat("grün ", 1000)); len(got) > maxDetail+len("…") || !utf8.ValidString(got) {
		t.Errorf("%d bytes of detail", len(got))
	}
}

func TestTransportErrorsTellNoURL(t *testing.T) {
	ctx := context.Background()
	for _, err := range []error{
		&url.Error{Op: "Get", URL: "http://gateway/uri/" + url.QueryEscape(secretURI), Err: syscall.ECONNREFUSED},
		&url.Error{Op: "Get", URL: "http://gateway/uri/" + url.QueryEscape(secretURI), Err: errors.New("malformed HTTP response \"" + secretURI + "\"")},
		fmt.Errorf("%s: %w", secretURI, io.EOF),
		errors.New(secretURI),
	} {
		got := transportError(ctx, ctx, "testing", err)
		if !errors.Is(got, ErrNotAnswering) || !Temporary(got) {
			t.Errorf("%v", got)
		}
		noSecret(t, got)
	}
	if got := transportError(ctx, ctx, "testing", syscall.ENOENT); !errors.Is(got, syscall.ENOENT) {
		t.Errorf("%v lost its cause", got)
	}
}

func TestTemporary(t *testing.T) {
	short := fmt.Errorf("x: %w: %w", ErrShortRead, ErrNotAnswering)
	if !errors.Is(short, io.ErrUnexpectedEOF) || !Temporary(short) {
		t.Error("a short read")
	}
	for _, err := range []error{nil, io.EOF, context.Canceled, context.DeadlineExceeded,
		fmt.Errorf("%w: %w", context.Canceled, ErrNotAnswering), ErrGone, ErrBadCap} {
		if Temporary(err) {
			t.Errorf("%v is temporary", err)
		}
	}
}

func TestContextErrorTellsTheCause(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	if err := contextError(ctx); err != nil {
		t.Error(err)
	}
	cancel()
	if err := contextError(ctx); err != context.Canceled {
		t.Errorf("without a cause: %v", err)
	}
	why := errors.New("why")
	ctx2, cancel2 := context.WithCancelCause(context.Background())
	cancel2(why)
	if err := contextError(ctx2); !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
		t.Errorf("with a cause: %v", err)
	}
}

func FuzzAnswerError(f *testing.F) {
	for _, a := range answers {
		f.Add(a.status, a.contentType, a.body)
	}
	f.Add(500, "text/html", "<style>"+secretURI)
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		// A secret anywhere in the text, in the forms in which Tahoe quotes one.
		middle := len(body) / 2
		for _, secret := range []string{secretURI, url.QueryEscape(secretURI)} {
			err := answerError("testing", status, contentType, []byte(body[:middle]+" "+secret+" "+body[middle:]))
			if strings.Contains(err.Error(), secretKey) || strings.Contains(err.Error(), secretHash) {
				t.Fatalf("told: %v", err)
			}
			if len(err.Detail) > maxDetail+len("…") || !utf8.ValidString(err.Detail) || strings.ContainsAny(err.Detail, "\n\r\x00\x1b") {
				t.Fatalf("detail %q", err.Detail)
			}
		}
	})
}

func FuzzParseGrid(f *testing.F) {
	f.Add([]byte(`{"introducers":{"statuses":["x"]},"servers":[{"nodeid":"v0-a","connection_status":"Connected to x","available_space":1e30,"nickname":null,"version":"tahoe-lafs/1.20.0","last_received_data":1.5}]}`))
	f.Add([]byte(`{"servers":[{"nodeid":1,"version":{},"available_space":"x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := parseGrid("testing", data)
		if err == nil && (g.Usable() < 0 || g.Usable() > len(g.Servers)) {
			t.Fatal(g)
		}
		parseHealth(data, true)
		decodeNode(data)
	})
}

func TestOneOddServerDoesNotHideTheOthers(t *testing.T) {
	g, err := parseGrid("testing", []byte(`{"introducers": {"statuses": ["Connected to tor:x"]}, "servers": [
		{"nodeid": "v0-a", "connection_status": "Connected to tor:x", "available_space": 1000000000000000000000000000000, "nickname": 7, "version": ["x"], "last_received_data": "now"},
		{"nodeid": "v0-b", "connection_status": "connected", "available_space": 75491575296, "nickname": "b\u001b[31m", "version": "tahoe-lafs/1.20.0", "last_received_data": 1795228444.5},
		{"nodeid": "v0-c", "connection_status": "Connected to tor:x", "available_space": null, "nickname": null, "version": null, "last_received_data": null},
		{"nodeid": "v0-d", "connection_status": "Reconnecting in 3 seconds (last attempt 2s ago)", "available_space": 0, "nickname": "d", "version": "tahoe-lafs/1.20.0", "last_received_data": null}]}`))
	if err != nil || len(g.Servers) != 4 || g.Usable() != 2 || len(g.Introducers) != 1 {
		t.Fatalf("%+v, %v", g, err)
	}
	a, b, c, d := g.Servers[0], g.Servers[1], g.Servers[2], g.Servers[3]
	if a.AvailableSpace != -1 || a.Nickname != "" || !a.Connected || !a.LastReceived.IsZero() {
		t.Errorf("%+v", a)
	}
	if b.AvailableSpace != 75491575296 || b.LastReceived.UnixMilli() != 1795228444500 || strings.Contains(b.Nickname, "\x1b") {
		t.Errorf("%+v", b)
	}
	if c.AvailableSpace != -1 || c.Connected || c.Version != "" {
		t.Errorf("%+v", c)
	}
	if d.AvailableSpace != 0 || d.Connected || d.Version == "" {
		t.Errorf("%+v", d)
	}
}
