package tor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fakeControl is a control socket that answers like tor, and commands with
// what answer returns.
func fakeControl(t *testing.T, answer func(command string) string) controlSocket {
	t.Helper()
	dir, err := os.MkdirTemp("", "hb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "control.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					switch verb, _, _ := strings.Cut(lines.Text(), " "); verb {
					case "PROTOCOLINFO":
						fmt.Fprint(conn, "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250 OK\r\n")
					case "AUTHENTICATE":
						fmt.Fprint(conn, "250 OK\r\n")
					default:
						fmt.Fprint(conn, answer(lines.Text()))
					}
				}
			}()
		}
	}()
	return controlSocket(path)
}

func TestAnswersToCommands(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		want         []string
		say          string // in the error
	}{
		{"done", "250 OK\r\n", nil, ""},
		{"values", "250-a=1\r\n250-b=2\r\n250 OK\r\n", []string{"a=1", "b=2"}, ""},
		{"an event first", "650 STATUS_CLIENT NOTICE X\r\n250-a=1\r\n250 OK\r\n", []string{"a=1"}, ""},
		{"a key that was used at once", "252 Registered client and decrypted desc\r\n", nil, ""},
		{"refused", "552 Unrecognized key \"secret\"\r\n", nil, "refused VERB (code 552)"},
		{"nothing", "", nil, "VERB was not answered"},
		{"nonsense", "hello there\r\n", nil, "VERB"},
	} {
		socket := fakeControl(t, func(string) string { return c.answer })
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		lines, err := socket.request(ctx, "VERB 100%s secret")
		cancel()
		if (err == nil) != (c.say == "") || err == nil && !reflect.DeepEqual(lines, c.want) {
			t.Errorf("%s: %q, %v", c.name, lines, err)
		}
		if err != nil && (!errors.Is(err, ErrControl) || !strings.Contains(err.Error(), c.say) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCommandsAreOneLine(t *testing.T) {
	told := make(chan string, 10)
	socket := fakeControl(t, func(command string) string { told <- command; return "250 OK\r\n" })
	for _, command := range []string{"VERB a\r\nSIGNAL HALT", "VERB\n", "VERB \x00"} {
		if _, err := socket.request(context.Background(), command); !errors.Is(err, ErrControl) {
			t.Errorf("%q: %v", command, err)
		}
	}
	if _, err := socket.request(context.Background(), "VERB %d 100%"); err != nil {
		t.Error(err)
	}
	if got := <-told; len(told) != 0 || got != "VERB %d 100%" {
		t.Errorf("tor was told %q, and more %d times", got, len(told))
	}
	if _, err := controlSocket("/no/such/socket").request(context.Background(), "VERB"); !errors.Is(err, ErrControl) {
		t.Errorf("without a socket: %v", err)
	}
}

func TestStatusEvents(t *testing.T) {
	begun := Status{Own: true, Percent: 5, Tag: "conn", Summary: "Connecting to a relay"}
	warned := begun
	warned.Warning = "Connection refused"
	late, done := begun, Status{Own: true, Percent: 100, Tag: "done", Summary: "Done"}
	late.Skew = -26 * time.Hour
	for _, c := range []struct {
		line string
		from Status
		want Status
	}{
		{`STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY="Connecting to a relay"`, Status{Own: true}, begun},
		{`STATUS_CLIENT WARN BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY="Connecting to a relay" WARNING="Connection refused" REASON=CONNECTREFUSED COUNT=1 RECOMMENDATION=warn HOSTID="00" HOSTADDR="127.0.0.1:1"`, begun, warned},
		{`STATUS_GENERAL WARN CLOCK_SKEW SKEW=-93600 SOURCE="DIRSERV:127.0.0.1:1"`, begun, late},
		{`STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY="Done"`, late, done},
		{`STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=101 TAG=done`, begun, begun},
		{`STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=x`, begun, begun},
		{`STATUS_CLIENT NOTICE BOOTSTRAP`, begun, begun},
		{`STATUS_GENERAL WARN CLOCK_SKEW SKEW=99999999999999999999`, begun, begun},
		{`STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED`, begun, begun},
		{`STATUS_CLIENT`, begun, begun},
		{``, begun, begun},
	} {
		got := c.from
		if heard := got.applyEvent(c.line); got != c.want || heard != (c.want != c.from) {
			t.Errorf("%s: %+v", c.line, got)
		}
	}
	for line, want := range map[string][]string{
		``:                       nil,
		`  a  b `:                {"a", "b"},
		`a="b c" d`:              {"a=b c", "d"},
		`a="say \"so\" \\" b=""`: {`a=say "so" \`, "b="},
		`"" x`:                   {"", "x"},
		`a="never ends`:          {"a=never ends"},
		`a="ends with a slash\`:  {"a=ends with a slash"},
		`a="1"b "2" 3`:           {"a=1b", "2", "3"},
		"tab\tis no=separator x": {"tab\tis", "no=separator", "x"},
	} {
		if got := splitQuoted(line); !reflect.DeepEqual(got, want) {
			t.Errorf("%q splits into %q", line, got)
		}
	}
}

func TestEventsAreNewerThanAnAnswer(t *testing.T) {
	f := &follower{changed: make(chan struct{})}
	_, changed := f.watch()
	f.hear("STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=10 TAG=conn_done SUMMARY=x")
	<-changed
	f.begin([]string{"status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY=y"})
	if s := f.now(); s.Percent != 10 || s.Tag != "conn_done" {
		t.Errorf("the status is %+v", s)
	}
}

func TestTimeUpSaysWhatItWasSpentOn(t *testing.T) {
	over, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	for say, s := range map[string]Status{
		"tor is not connected":                         {Percent: -1},
		"it came to 5 %, Connecting, Refused":          {Percent: 5, Summary: "Connecting", Warning: "Refused"},
		"about 2h0m0s ahead":                           {Percent: 40, Skew: 2*time.Hour + time.Second},
		"the clock of this computer is wrong: it is a": {Percent: 40, Skew: -2 * time.Hour},
	} {
		if err := s.timeUp(over); !strings.Contains(err.Error(), say) {
			t.Errorf("%q is not in %q", say, err)
		}
	}
	stopped, stop := context.WithCancelCause(context.Background())
	stop(errors.New("asked to"))
	if err := (Status{}).timeUp(stopped); err.Error() != "asked to" {
		t.Error(err)
	}
}

func TestOnionServiceCommands(t *testing.T) {
	key, err := ParseOnionKey("ED25519-V3:" + strings.Repeat("A", 86) + "==")
	if err != nil {
		t.Fatal(err)
	}
	client := strings.Repeat("A", 52)
	for want, s := range map[string]OnionService{
		"ADD_ONION NEW:ED25519-V3 Flags=Detach Port=3457,127.0.0.1:20000":                        {Port: 3457, LocalPort: 20000},
		"ADD_ONION " + key.Secret() + " Flags=Detach,DiscardPK Port=1,127.0.0.1:2":               {Key: key, Port: 1, LocalPort: 2},
		"ADD_ONION NEW:ED25519-V3 Flags=Detach,V3Auth Port=1,127.0.0.1:2 ClientAuthV3=" + client: {Port: 1, LocalPort: 2, Clients: []string{client}},
		"": {Port: 1, LocalPort: 2, Clients: []string{client + "\r\nSIGNAL HALT"}},
	} {
		if got, err := s.command(true); got != want || (err != nil) != (want == "") {
			t.Errorf("%q, %v", got, err)
		}
	}
	for _, s := range []OnionService{{}, {Port: 1}, {LocalPort: 1}, {Port: 65536, LocalPort: 1}, {Port: 1, LocalPort: -1}} {
		if _, err := s.command(true); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
