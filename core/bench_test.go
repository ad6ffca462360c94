package core

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/restore"
	"hiddenbackup/tahoeclient"
)

// The benchmarks of this file put Hidden Backup and Tahoe's own commands on
// the same practice grid, through the same gateway, in the same run. Their
// results are ratios; docs/performance.md explains them. Run "make bench".

// bench is one grid, one gateway, and a manifest for each side.
type bench struct {
	b      *testing.B
	work   string // on a memory-backed file system: no disk is measured
	grid   *Grid
	client *tahoeclient.Client
	tahoe  string
	node   string // directory that tells the tahoe command where the gateway is
}

func newBench(b *testing.B) *bench {
	b.Helper()
	tahoe, err := node.FindTahoe()
	if err != nil {
		if os.Getenv("HIDDEN_BACKUP_REQUIRE_GRID") == "1" {
			b.Fatal(err)
		}
		b.Skip(err)
	}
	debug.SetMemoryLimit(180 << 20) // as the command line does
	work, err := os.MkdirTemp("/dev/shm", "hb-bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(work) })
	practice, err := node.StartPractice(b.Context(), node.PracticeConfig{Dir: filepath.Join(work, "grid"), Nodes: 6, Needed: 3})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { practice.Close() })
	x := &bench{b: b, work: work, tahoe: tahoe, node: filepath.Join(work, "tahoe")}
	description, err := PracticeGrid(practice.Dir())
	if err != nil {
		b.Fatal(err)
	}
	m, err := CreateManifest(b.Context(), Config{}, Draft{Name: "bench", Grid: description}, nil)
	if err != nil {
		b.Fatal(err)
	}
	r, err := m.Reader()
	if err != nil {
		b.Fatal(err)
	}
	access, err := NewAccess(&manifest.Opened{Owner: m, Reader: r, Power: manifest.PowerOwner})
	if err != nil {
		b.Fatal(err)
	}
	if x.grid, err = Connect(b.Context(), Config{}, access, nil); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { x.grid.Close() })
	if err := x.grid.WaitToWrite(b.Context()); err != nil {
		b.Fatal(err)
	}
	x.client = x.grid.client
	x.tahoeNode(x.grid.gateway.Socket())
	return x
}

// tahoeNode lets the tahoe command, which speaks TCP only, use our gateway.
func (x *bench) tahoeNode(socket string) {
	x.b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		x.b.Fatal(err)
	}
	x.b.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", socket)
			if err != nil {
				in.Close()
				continue
			}
			var both sync.WaitGroup
			both.Add(2)
			go func() { defer both.Done(); io.Copy(out, in); out.(*net.UnixConn).CloseWrite() }()
			go func() { defer both.Done(); io.Copy(in, out); in.(*net.TCPConn).CloseWrite() }()
			go func() { both.Wait(); in.Close(); out.Close() }()
		}
	}()
	if err := os.MkdirAll(filepath.Join(x.node, "private"), 0o700); err != nil {
		x.b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(x.node, "node.url"), fmt.Appendf(nil, "http://%s/\n", l.Addr()), 0o600); err != nil {
		x.b.Fatal(err)
	}
	x.runTahoe("create-alias", "b:")
}

func (x *bench) runTahoe(args ...string) time.Duration {
	x.b.Helper()
	started := time.Now()
	out, err := exec.Command(x.tahoe, append([]string{"-d", x.node}, args...)...).CombinedOutput()
	if err != nil {
		x.b.Fatalf("tahoe %v: %v\n%.2000s", args, err, out)
	}
	return time.Since(started)
}

func (x *bench) plan(dir string) BackupPlan {
	return BackupPlan{Folders: []manifest.Folder{{Name: "it", Path: dir, Tier: 2}}}
}

func (x *bench) backup(dir string, uploads int) backup.Report {
	x.b.Helper()
	p := x.plan(dir)
	p.Uploads = uploads
	r, err := x.grid.Backup(x.b.Context(), Config{}, p, nil)
	if err != nil {
		x.b.Fatal(err)
	}
	if r.ProblemCount != 0 {
		x.b.Fatalf("problems: %v", r.Problems)
	}
	return r
}

func (x *bench) restore(downloads int) restore.Report {
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
	r, err := x.grid.Restore(x.b.Context(), chosen.Snapshot, restore.Options{Places: restore.ResolvePlaces(chosen.Snapshot, dir), Downloads: downloads}, nil)
	if err != nil {
		x.b.Fatal(err)
	}
	if r.ProblemCount != 0 {
		x.b.Fatalf("problems: %v", r.Problems)
	}
	return r
}

// peak runs work and returns by how much memory of this process was resident
// at most during it.
func peak(b *testing.B, work func()) (bytes int64) {
	b.Helper()
	debug.FreeOSMemory()
	// Writing 5 resets the peak that VmHWM shows (proc(5)).
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Logf("peak memory includes what came before: %v", err)
	}
	work()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}

func fill(b *testing.B, path string, n int, seed byte) {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{seed, byte(n), byte(n >> 8), byte(len(path))}).Read(data)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		b.Fatal(err)
	}
}

func ratio(b *testing.B, name string, theirs, ours time.Duration) {
	b.Logf("%-26s tahoe %8.2f s   ours %7.2f s   ratio %6.1f", name, theirs.Seconds(), ours.Seconds(), theirs.Seconds()/ours.Seconds())
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), name+"-ratio")
}

// BenchmarkVersusSmallFiles: 1,000 files of 200 B to 8 KB in 20 directories.
func BenchmarkVersusSmallFiles(b *testing.B) {
	x := newBench(b)
	dir := filepath.Join(x.work, "small")
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		fill(b, filepath.Join(dir, fmt.Sprintf("d%02d", i%20), fmt.Sprintf("f%03d", i)), 200+r.IntN(7800), byte(i))
	}
	b.ResetTimer()
	for range b.N {
		theirs := x.runTahoe("backup", dir, "b:small")
		var ours backup.Report
		memory := peak(b, func() { ours = x.backup(dir, 0) })
		ratio(b, "backup", theirs, ours.Elapsed)
		theirs = x.runTahoe("cp", "-r", "b:small/Latest", filepath.Join(x.work, "tahoe-out"))
		var back restore.Report
		memory = max(memory, peak(b, func() { back = x.restore(0) }))
		ratio(b, "restore", theirs, back.Elapsed)
		b.ReportMetric(float64(memory>>20), "peak-MiB")
	}
}

// BenchmarkVersusPlainTransfer: one random file of 256 MiB beside one plain
// streamed PUT, and GET into a file, of the same bytes. The two sides take
// turns; the medians count.
func BenchmarkVersusPlainTransfer(b *testing.B) {
	const n, rounds = 256 << 20, 5
	x := newBench(b)
	path := filepath.Join(x.work, "big", "file")
	for range b.N {
		var memory int64
		var put, get, backups, restores []time.Duration
		for i := range rounds {
			fill(b, path, n, byte(i+1))
			var up backup.Report
			memory = max(memory, peak(b, func() { up = x.backup(filepath.Dir(path), 0) }))
			backups = append(backups, up.Elapsed)
			stored, took := x.plainPut(path, n)
			put = append(put, took)
			get = append(get, x.plainGet(stored, n))
			var down restore.Report
			memory = max(memory, peak(b, func() { down = x.restore(0) }))
			restores = append(restores, down.Elapsed)
		}
		ratio(b, "put", median(put), median(backups))
		ratio(b, "get", median(get), median(restores))
		b.ReportMetric(float64(memory>>20), "peak-MiB")
	}
}

func (x *bench) plainPut(path string, n int64) (tahoeclient.Cap, time.Duration) {
	x.b.Helper()
	f, err := os.Open(path)
	if err != nil {
		x.b.Fatal(err)
	}
	defer f.Close()
	started := time.Now()
	c, err := x.client.Put(x.b.Context(), f, n)
	if err != nil {
		x.b.Fatal(err)
	}
	return c, time.Since(started)
}

func (x *bench) plainGet(c tahoeclient.Cap, n int64) time.Duration {
	x.b.Helper()
	f, err := os.Create(filepath.Join(x.work, "plain"))
	if err != nil {
		x.b.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	started := time.Now()
	body, err := x.client.Get(x.b.Context(), c, 0, -1)
	if err != nil {
		x.b.Fatal(err)
	}
	defer body.Close()
	if got, err := io.Copy(f, body); err != nil || got != n {
		x.b.Fatal(got, err)
	}
	return time.Since(started)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkVersusSourceTree: the Go toolchain's source tree, first and
// unchanged.
func BenchmarkVersusSourceTree(b *testing.B) {
	x := newBench(b)
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(x.work, "src")
	if out, err := exec.Command("cp", "-a", filepath.Join(strings.TrimSpace(string(goroot)), "src"), dir).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	b.ResetTimer()
	for range b.N {
		var first, second backup.Report
		memory := peak(b, func() { first = x.backup(dir, 0) })
		memory = max(memory, peak(b, func() { second = x.backup(dir, 0) }))
		var back restore.Report
		memory = max(memory, peak(b, func() { back = x.restore(0) }))
		b.Logf("unchanged: %.2f s, %d bytes uploaded; restore %.2f s; first run sent %d bytes", second.Elapsed.Seconds(), second.Sent, back.Elapsed.Seconds(), first.Sent)
		b.ReportMetric(second.Elapsed.Seconds(), "unchanged-s")
		b.ReportMetric(float64(second.Sent), "unchanged-B")
		b.ReportMetric(float64(memory>>20), "peak-MiB")
		ratio(b, "backup", x.runTahoe("backup", dir, "b:src"), first.Elapsed)
		ratio(b, "unchanged", x.runTahoe("backup", dir, "b:src"), second.Elapsed)
		ratio(b, "restore", x.runTahoe("cp", "-r", "b:src/Latest", filepath.Join(x.work, "tahoe-src")), back.Elapsed)
	}
}

// BenchmarkVersusInFlight: how many packs at once pay off, with nothing but
// this machine's two ends in between.
func BenchmarkVersusInFlight(b *testing.B) {
	x := newBench(b)
	dir := filepath.Join(x.work, "big")
	for _, n := range []int{1, 2, 3, 4, 6, 8} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for i := range b.N {
				fill(b, filepath.Join(dir, "file"), 192<<20, byte(40+10*n+i))
				var up backup.Report
				var down restore.Report
				memory := peak(b, func() { up = x.backup(dir, n) })
				memory = max(memory, peak(b, func() { down = x.restore(n) }))
				b.ReportMetric(192/up.Elapsed.Seconds(), "up-MiB/s")
				b.ReportMetric(192/down.Elapsed.Seconds(), "down-MiB/s")
				b.ReportMetric(float64(memory>>20), "peak-MiB")
			}
		})
	}
}
