package core

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/internal/slowline"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/tor"
	"hiddenbackup/core/tor/tornet"
	"hiddenbackup/core/tor/tortest"
)

// The benchmarks of this file put six storage nodes behind onion services of a
// private Tor network, each at the end of a line as slow as onion services are
// in the field: 600 ms there and back, 3 Mbit/s. docs/performance.md explains
// the results.
var fieldLine = slowline.Speed{Delay: 300 * time.Millisecond, Rate: 3_000_000 / 8}

// limitVariable is for those who have no time: Tahoe's own commands are cut off
// after that long, and the rest is extrapolated.
const limitVariable = "HIDDEN_BACKUP_SLOW_LIMIT"

// slowBench is a bench whose storage nodes are far away.
type slowBench struct {
	*bench
	practice *node.Practice
	lines    []*slowline.Line // of storage node i
	config   Config
	access   *Access
	limit    time.Duration
}

func newSlowBench(b *testing.B) *slowBench {
	b.Helper()
	nodetest.RequireTahoe(b)
	tortest.RequireTor(b)
	debug.SetMemoryLimit(180 << 20) // as the command line does
	x := &slowBench{bench: &bench{b: b}, limit: 20 * time.Minute}
	if text := os.Getenv(limitVariable); text != "" {
		var err error
		if x.limit, err = time.ParseDuration(text); err != nil {
			b.Fatalf("%s: %v", limitVariable, err)
		}
	}
	var err error
	if x.work, err = os.MkdirTemp("/dev/shm", "hb-slow"); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(x.work) })
	if x.tahoe, err = node.FindTahoe(); err != nil {
		b.Fatal(err)
	}
	x.node = filepath.Join(x.work, "tahoe")
	network, err := tornet.Start(b.Context(), tornet.Config{Dir: filepath.Join(x.work, "tor")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { network.Close() })
	x.config = Config{Tor: TorConfig{Source: tor.Own, Private: network.ClientConfig()}}
	x.startGrid(network)
	description, err := PracticeGrid(x.practice.Dir())
	if err != nil {
		b.Fatal(err)
	}
	m, err := CreateManifest(b.Context(), x.config, Draft{Name: "bench", Grid: description}, nil)
	if err != nil {
		b.Fatal(err)
	}
	r, err := m.Reader()
	if err != nil {
		b.Fatal(err)
	}
	if x.access, err = NewAccess(&manifest.Opened{Owner: m, Reader: r, Power: manifest.PowerOwner}); err != nil {
		b.Fatal(err)
	}
	return x
}

// startGrid starts the storage nodes at the ends of lines that are fast at first.
func (x *slowBench) startGrid(network *tornet.Network) {
	x.b.Helper()
	offer := func(ctx context.Context, dir string, port int) (string, error) {
		line, err := slowline.Open(fmt.Sprint("127.0.0.1:", port), slowline.Speed{})
		if err != nil {
			return "", err
		}
		x.b.Cleanup(func() { line.Close() })
		if strings.HasPrefix(filepath.Base(dir), "node-") {
			x.lines = append(x.lines, line)
		}
		return offerPractice(ctx, network.Host(), dir, line.Port())
	}
	var err error
	x.practice, err = node.StartPractice(x.b.Context(), node.PracticeConfig{
		Dir: filepath.Join(x.work, "grid"), Nodes: 6, Needed: 3, Onions: true,
		Onion: &node.Onion{TorSocks: network.Host().Socks(), Offer: offer},
	})
	if err != nil {
		x.b.Fatal(err)
	}
	x.b.Cleanup(func() { x.practice.Close() })
}

func (x *slowBench) slow(s slowline.Speed) {
	for _, l := range x.lines {
		l.Slow(s)
	}
}

// connect is a machine that has nothing yet: it starts a tor and a gateway.
func (x *slowBench) connect() (done func()) {
	x.b.Helper()
	began := time.Now()
	g, err := Connect(x.b.Context(), x.config, x.access, nil)
	if err != nil {
		x.b.Fatal(err)
	}
	x.grid, x.client = g, g.client
	up := time.Since(began)
	if err := g.WaitToWrite(x.b.Context()); err != nil {
		x.b.Fatal(err)
	}
	x.b.Logf("  tor and the gateway are up after %.1f s, the servers after %.1f s", up.Seconds(), time.Since(began).Seconds())
	return func() { g.Close() }
}

// waitForAll makes sure that there are shares on every server.
func (x *slowBench) waitForAll() {
	x.b.Helper()
	ctx, cancel := context.WithTimeout(x.b.Context(), 3*time.Minute)
	defer cancel()
	for {
		grid, err := x.client.Grid(ctx)
		if err == nil && grid.Usable() == len(x.lines) {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			x.b.Fatalf("%d of %d servers came: %v", grid.Usable(), len(x.lines), err)
		}
	}
}

// traffic is what crosses the lines during work.
type traffic struct {
	took     time.Duration
	up, down []int64 // by line
}

func (t traffic) sum() (up, down int64) {
	for i := range t.up {
		up, down = up+t.up[i], down+t.down[i]
	}
	return up, down
}

// lineTime is how long so many bytes take over the lines that carried a part of
// them, if all of these were busy all the time.
func (t traffic) lineTime(n int64) time.Duration {
	used := int64(0)
	for i := range t.down {
		if max(t.up[i], t.down[i]) > n/100 {
			used++
		}
	}
	return time.Duration(float64(n) / float64(used*fieldLine.Rate) * float64(time.Second))
}

func (x *slowBench) measure(work func()) (t traffic) {
	for _, l := range x.lines {
		up, down := l.Moved()
		t.up, t.down = append(t.up, -up), append(t.down, -down)
	}
	began := time.Now()
	work()
	t.took = time.Since(began)
	for i, l := range x.lines {
		up, down := l.Moved()
		t.up[i], t.down[i] = t.up[i]+up, t.down[i]+down
	}
	return t
}

func (x *slowBench) log(what string, t traffic) {
	up, down := t.sum()
	x.b.Logf("%s: %.1f s; over the lines %.2f MB up, %.2f MB down", what, t.took.Seconds(), float64(up)/1e6, float64(down)/1e6)
}

// The person's folders: what she needs first, her pictures, and many small files.
var slowFolders = []manifest.Folder{{Name: "first", Tier: 1}, {Name: "pictures", Tier: 2}, {Name: "notes", Tier: 3}}

const (
	firstBytes   = 5_000_000
	pictureBytes = 200_000_000
	notes        = 10_000
)

func (x *slowBench) fillFolders() (plan BackupPlan) {
	x.b.Helper()
	src := filepath.Join(x.work, "src")
	for i := range 100 {
		fill(x.b, filepath.Join(src, "first", fmt.Sprintf("d%d", i%5), fmt.Sprintf("f%02d", i)), firstBytes/100, byte(i))
	}
	for i := range 50 {
		fill(x.b, filepath.Join(src, "pictures", fmt.Sprintf("%02d.jpg", i)), pictureBytes/50, byte(i))
	}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range notes {
		fill(x.b, filepath.Join(src, "notes", fmt.Sprintf("d%03d", i%200), fmt.Sprintf("note %04d", i)), 200+r.IntN(3800), byte(i))
	}
	for _, f := range slowFolders {
		f.Path = filepath.Join(src, f.Name)
		plan.Folders = append(plan.Folders, f)
	}
	return plan
}

// restoreOnly restores one folder, with so many packs at once; 0 is the usual.
func (x *slowBench) restoreOnly(name string, downloads int) restore.Report {
	x.b.Helper()
	chosen, err := x.grid.Choose(x.b.Context(), 0)
	if err != nil {
		x.b.Fatal(err)
	}
	dir, err := os.MkdirTemp(x.work, "out")
	if err != nil {
		x.b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	r, err := x.grid.Restore(x.b.Context(), chosen.Snapshot, restore.Options{
		Places: map[string]string{name: filepath.Join(dir, name)}, Downloads: downloads,
	}, nil)
	if err != nil || r.ProblemCount != 0 {
		x.b.Fatalf("%v, problems %v", err, r.Problems)
	}
	return r
}

// BenchmarkVersusSlowLines: what the person waits for.
func BenchmarkVersusSlowLines(b *testing.B) {
	x := newSlowBench(b)
	plan := x.fillFolders()
	back := func() {
		b.Helper()
		if r, err := x.grid.Backup(b.Context(), x.config, plan, nil); err != nil || r.ProblemCount != 0 {
			b.Fatalf("%v, problems %v", err, r.Problems)
		}
	}
	done := x.connect()
	x.waitForAll()
	x.log("first backup, lines not slowed", x.measure(back))
	done()
	for range b.N {
		x.slow(fieldLine)

		first := x.measure(func() {
			done = x.connect()
			x.restoreOnly("first", 0)
		})
		x.log("tier 1, 5 MB in 100 files, with the start of tor", first)
		b.ReportMetric(first.took.Seconds(), "tier1-s")
		done()

		done = x.connect()
		var r restore.Report
		pictures := x.measure(func() { r = x.restoreOnly("pictures", 0) })
		x.log("200 MB in 50 files", pictures)
		line := pictures.lineTime(r.Fetched)
		b.Logf("  line time of %.1f MB: %.1f s; by line, MB: %.1f", float64(r.Fetched)/1e6, line.Seconds(), megabytes(pictures.down))
		b.ReportMetric(pictures.took.Seconds()/line.Seconds(), "200MB-line-times")
		done()

		unchanged := x.measure(func() {
			done = x.connect()
			back()
		})
		x.log("unchanged backup of 10,150 files, with the start of tor", unchanged)
		b.ReportMetric(unchanged.took.Seconds(), "unchanged-s")

		x.versusTahoe(plan)
		done()
	}
}

// BenchmarkVersusSlowInFlight: how many packs at once pay off on such lines.
func BenchmarkVersusSlowInFlight(b *testing.B) {
	x := newSlowBench(b)
	plan := x.fillFolders()
	plan.Folders = plan.Folders[1:2]
	done := x.connect()
	x.waitForAll()
	if _, err := x.grid.Backup(b.Context(), x.config, plan, nil); err != nil {
		b.Fatal(err)
	}
	done()
	x.slow(fieldLine)
	for _, n := range []int{4, 8, 16} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for range b.N {
				done := x.connect()
				defer done()
				var r restore.Report
				t := x.measure(func() { r = x.restoreOnly("pictures", n) })
				x.log("200 MB", t)
				b.Logf("by line, MB: %.1f", megabytes(t.down))
				b.ReportMetric(t.took.Seconds()/t.lineTime(r.Fetched).Seconds(), "line-times")
			}
		})
	}
}

// BenchmarkVersusSlowServer: what one bad server of six costs a backup of 5 MB.
func BenchmarkVersusSlowServer(b *testing.B) {
	x := newSlowBench(b)
	x.slow(fieldLine)
	must := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	for i, c := range []struct {
		name      string
		bad, good func()
	}{
		{"all well", func() {}, func() {}},
		{"one is off", func() { must(x.practice.StopNode(0)) }, func() { must(x.practice.StartNode(b.Context(), 0)) }},
		{"one hangs", func() { must(x.practice.Suspend(0)) }, func() { must(x.practice.Resume(0)) }},
		{"one has 160 kbit/s and 3 s", func() { x.lines[0].Slow(slowline.Speed{Delay: 1500 * time.Millisecond, Rate: 20_000}) }, func() {}},
	} {
		c.bad()
		dir := filepath.Join(x.work, "one")
		fill(b, filepath.Join(dir, "file"), firstBytes, byte(60+i))
		t := x.measure(func() {
			defer x.connect()()
			r := x.backup(dir, 0)
			b.Logf("  the backup itself took %.1f s, %d packs on fewer servers than planned", r.Elapsed.Seconds(), r.Weak)
		})
		x.log(c.name, t)
		c.good()
	}
}

func megabytes(bytes []int64) (list []float64) {
	for _, n := range bytes {
		list = append(list, float64(n)/1e6)
	}
	return list
}

// versusTahoe is the same with Tahoe's own commands, through the same gateway.
func (x *slowBench) versusTahoe(plan BackupPlan) {
	x.b.Helper()
	x.tahoeNode(x.grid.gateway.Socket())
	first, pictures, small := plan.Folders[0].Path, plan.Folders[1].Path, plan.Folders[2].Path
	x.slow(slowline.Speed{})
	x.runTahoe("backup", first, "b:first")
	x.runTahoe("backup", pictures, "b:pictures")
	x.slow(fieldLine)
	for _, name := range []string{"first", "pictures"} {
		out := filepath.Join(x.work, "tahoe-"+name)
		x.cutOff(new(bytes.Buffer), "tahoe cp -r "+name, func() int { return countFiles(out) }, countFiles(filepath.Join(filepath.Dir(first), name)),
			"cp", "-r", "b:"+name+"/Latest", out)
	}
	var said bytes.Buffer
	x.cutOff(&said, "tahoe backup, first, of 10,000 files", func() int { return strings.Count(said.String(), "uploading") }, notes,
		"backup", "-v", small, "b:notes")
}

func countFiles(dir string) (n int) {
	filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			n++
		}
		return nil
	})
	return n
}

// cutOff runs a tahoe command until the limit. files says after it how many
// of all files it has done.
func (x *slowBench) cutOff(said *bytes.Buffer, what string, files func() int, all int, args ...string) {
	x.b.Helper()
	ctx, cancel := context.WithTimeout(x.b.Context(), x.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, x.tahoe, append([]string{"-d", x.node}, args...)...)
	cmd.Stdout, cmd.Stderr = said, said
	var err error
	t := x.measure(func() { err = cmd.Run() })
	switch n := files(); {
	case err == nil:
		x.log(what, t)
	case ctx.Err() == nil:
		x.b.Fatalf("%s: %v: %.2000s", what, err, said)
	case n == 0:
		x.b.Logf("%s: cut off after %v without any file", what, x.limit)
	default:
		whole := time.Duration(float64(t.took) * float64(all) / float64(n))
		x.log(fmt.Sprintf("%s: cut off after %d of %d files, the whole would take %v", what, n, all, whole.Round(time.Minute)), t)
	}
}
