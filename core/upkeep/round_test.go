package upkeep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

func newObjects(t testing.TB, packs int) (*tahoetest.Gateway, *tahoeclient.Client, []vault.Object) {
	t.Helper()
	g := tahoetest.NewGateway(t)
	g.SetServers(6, 6)
	g.SetEncoding(3, 5, 6)
	client := tahoeclient.New(g.Socket(), tahoeclient.Options{Attempts: 2, RetryWait: time.Millisecond})
	t.Cleanup(client.Close)
	var objects []vault.Object
	for i := range packs {
		data := tahoetest.Bytes(uint64(i), 5000)
		c, err := client.Put(t.Context(), bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, vault.Object{Kind: vault.KindPack, Name: fmt.Sprint("pack ", i), Cap: c})
	}
	dir, err := client.MakeDir(t.Context(), map[string]tahoeclient.Child{"a": {Cap: objects[0].Cap}})
	if err != nil {
		t.Fatal(err)
	}
	return g, client, append(objects, vault.Object{Kind: vault.KindDirectory, Name: "vault directory", Cap: dir})
}

func TestRoundTellsEachStateAndTheWorst(t *testing.T) {
	g, client, objects := newObjects(t, 5)
	g.LoseShares(objects[1].Cap, 4)
	g.CorruptShares(objects[2].Cap, 2)
	g.LoseShares(objects[3].Cap, 2)
	tr := new(progress.Tracker)
	r, err := Round(t.Context(), client, objects, Options{}, tr)
	if err != nil {
		t.Fatal(err)
	}
	if r.Objects != 6 || r.Packs != 5 || r.States[Whole] != 4 || r.States[Weak] != 1 || r.States[Lost] != 1 || r.Read != 0 {
		t.Errorf("presence: %+v", r.States)
	}
	if r.Worst.Object.Name != "pack 3" || r.Worst.State != Lost || r.Servers != 6 {
		t.Errorf("the worst is %s, on %d servers", r.Worst.Object.Name, r.Servers)
	}
	if r, err = Round(t.Context(), client, objects, Options{Verify: true}, nil); err != nil || r.States[Damaged] != 1 || r.Read != 4 {
		t.Errorf("verified: %+v, %d read, %v", r.States, r.Read, err)
	}
	if d := r.Of(Damaged); len(d) != 1 || d[0].Object.Name != "pack 2" || d[0].Servers != 1 {
		t.Errorf("corrupt shares count as there: %+v", d)
	}
}

func TestRoundRepairsAndRenews(t *testing.T) {
	g, client, objects := newObjects(t, 3)
	g.LoseShares(objects[1].Cap, 4)
	before := g.Leases(objects[0].Cap)
	r, err := Round(t.Context(), client, objects, Options{Repair: true, Renew: true}, nil)
	if err != nil || r.States[Whole] != 4 || len(r.Findings) != 1 || !r.Findings[0].Repaired || !r.Renewed {
		t.Fatalf("%+v, %v", r, err)
	}
	if g.Leases(objects[0].Cap) <= before {
		t.Error("no lease was renewed")
	}
}

// What nothing but a read finds out: shares that are whole and hold rubbish.
// Repairing a directory publishes what the servers show as its newest version.
func TestRoundNeverRepairsTheDirectory(t *testing.T) {
	g, client, objects := newObjects(t, 1)
	g.LoseShares(objects[1].Cap, 4)
	r, err := Round(t.Context(), client, objects, Options{Repair: true}, nil)
	if err != nil || r.States[Weak] != 1 || r.Findings[0].Repaired {
		t.Errorf("%+v, %v", r, err)
	}
}

// What reading found must outlive a later round that does not read.
func TestKeepTakesNothingBack(t *testing.T) {
	g, client, objects := newObjects(t, 3)
	g.CorruptShares(objects[1].Cap, 2)
	before, err := Round(t.Context(), client, objects, Options{Verify: true, Read: func(_ context.Context, o vault.Object) error {
		if o.Name == "pack 2" {
			return snapshot.ErrSeal
		}
		return nil
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Round(t.Context(), client, objects, Options{}, nil)
	if err != nil || after.States[Whole] != 4 {
		t.Fatalf("%+v, %v", after, err)
	}
	kept := after.Keep(before)
	if kept.States[Lost] != 1 || kept.States[Damaged] != 1 || kept.Read != 2 || kept.Worst.Object.Name != "pack 2" {
		t.Errorf("%+v", kept)
	}
}

// One object that a server keeps back must not keep the leases of the others.
func TestStuckObjectDoesNotEndTheRound(t *testing.T) {
	g, _, objects := newObjects(t, 4)
	quick := tahoeclient.New(g.Socket(), tahoeclient.Options{Attempts: 1, IdleTimeout: 200 * time.Millisecond, RequestTimeout: time.Second})
	defer quick.Close()
	defer g.Hang(1, tahoetest.OpCheck)()
	r, err := Round(t.Context(), quick, objects, Options{Renew: true}, nil)
	if err != nil || r.States[Unknown] != 1 || r.States[Whole] != 4 || r.Renewed {
		t.Errorf("%+v, %v", r.States, err)
	}
}

// Tahoe ends a verifying check of some damaged shares with an error.
func TestObjectThatTahoeTripsOverIsDamaged(t *testing.T) {
	g, client, objects := newObjects(t, 3)
	g.Fail(2, 500, "builtins.AssertionError: precondition", tahoetest.OpCheck) // two attempts of one check
	r, err := Round(t.Context(), client, objects[:1], Options{Verify: true}, nil)
	if err != nil || r.States[Damaged] != 1 {
		t.Errorf("%+v, %v", r.States, err)
	}
}

func TestPackThatDoesNotOpenIsLost(t *testing.T) {
	_, client, objects := newObjects(t, 3)
	broken := fmt.Errorf("it does not open: %w", snapshot.ErrSeal)
	r, err := Round(t.Context(), client, objects, Options{Verify: true, Read: func(_ context.Context, o vault.Object) error {
		if o.Name == "pack 2" {
			return broken
		}
		return nil
	}}, nil)
	if err != nil || r.States[Lost] != 1 || r.Worst.Object.Name != "pack 2" || !errors.Is(r.Worst.Err, broken) || r.Read != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A grid that fails while a pack is read says nothing about the pack.
func TestFailingGridIsNoLoss(t *testing.T) {
	_, client, objects := newObjects(t, 3)
	_, err := Round(t.Context(), client, objects, Options{Verify: true, Read: func(context.Context, vault.Object) error {
		return tahoeclient.ErrNotAnswering
	}}, nil)
	if !errors.Is(err, tahoeclient.ErrNotAnswering) {
		t.Errorf("%v", err)
	}
}

func TestSampleReadsSoManyPacks(t *testing.T) {
	_, client, objects := newObjects(t, 20)
	seen := make(map[string]bool)
	for range 20 {
		r, err := Round(t.Context(), client, objects, Options{Verify: true, Sample: 3}, nil)
		if err != nil || r.Read != 3 || r.States[Whole] != 21 {
			t.Fatalf("%+v, %v", r, err)
		}
		for i := range choose(objects, Options{Verify: true, Sample: 3}) {
			seen[objects[i].Name] = true
		}
	}
	if len(seen) < 15 {
		t.Errorf("twenty samples of three looked at %d of 21 objects only", len(seen))
	}
}

func TestRoundEndsWhenTheGatewayDoes(t *testing.T) {
	g, client, objects := newObjects(t, 8)
	g.Stop()
	if _, err := Round(t.Context(), client, objects, Options{}, nil); !errors.Is(err, tahoeclient.ErrNotAnswering) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Round(ctx, client, objects, Options{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// BenchmarkRound is a round over 2 GB of packs at 0.5 s for every answer.
func BenchmarkRound(b *testing.B) {
	g, client, objects := newObjects(b, 128)
	g.Delay(500 * time.Millisecond)
	for b.Loop() {
		if _, err := Round(b.Context(), client, objects, Options{Renew: true}, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Minutes(), "rounds/min")
}
