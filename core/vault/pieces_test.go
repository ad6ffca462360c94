package vault

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient/tahoetest"
)

// fetchAll fetches the chunks of a pack with one Range.
func fetchAll(ctx context.Context, v *Vault, p snapshot.Pack, refs []snapshot.ChunkRef) (got [][]byte, err error) {
	err = v.Fetch(ctx, Range{Pack: p, Chunks: refs}, nil, func(_ snapshot.ChunkRef, plain []byte) error {
		got = append(got, bytes.Clone(plain))
		return nil
	})
	return got, err
}

// gets is how many downloads there are until the gateway is idle again.
func gets(t *testing.T, g *tahoetest.Gateway, want int, work func()) {
	t.Helper()
	before := g.Count().Requests[tahoetest.OpGet]
	work()
	deadline := time.Now().Add(10 * time.Second)
	for { // a request counts when the gateway is done with it
		n := g.Count().Requests[tahoetest.OpGet] - before
		if n == want {
			return
		}
		if n > want || time.Now().After(deadline) {
			t.Fatalf("%d requests instead of %d", n, want)
		}
		time.Sleep(time.Millisecond)
	}
}

// From far away one request after the other leaves most servers idle.
func TestPackThatIsFarAwayComesInPiecesAndWhole(t *testing.T) {
	v, g := newVault(t)
	content := [][]byte{tahoetest.Bytes(1, 3<<20), tahoetest.Bytes(2, 3<<20), tahoetest.Bytes(3, 3<<20)}
	p, refs := pack(t, v, content...)
	check := func(requests int) {
		t.Helper()
		gets(t, g, requests, func() {
			got, err := fetchAll(t.Context(), v, p, refs)
			if err != nil || !bytes.Equal(bytes.Join(got, nil), bytes.Join(content, nil)) {
				t.Fatalf("something else came: %v", err)
			}
		})
	}
	v.far.Store(false)
	check(1)
	v.far.Store(true)
	check(5) // of two segments each

	// One that begins and ends inside of pieces.
	content, refs = content[1:2], refs[1:2]
	check(3)
}

func TestSlowAnswersAreThoseOfServersFarAway(t *testing.T) {
	v, g := newVault(t)
	p, refs := pack(t, v, []byte("little"))
	g.Delay(farAway + 50*time.Millisecond)
	if _, err := fetchAll(t.Context(), v, p, refs); err != nil {
		t.Fatal(err)
	}
	if !v.far.Load() {
		t.Error("a slow answer was not noticed")
	}
}

// Servers that hang must not hold up what others have. Which of the pieces it
// hits is all the same.
func TestPiecesThatHangKeepNobodyWaiting(t *testing.T) {
	longestLook = 10 * time.Millisecond
	t.Cleanup(func() { longestLook = 5 * time.Second })
	v, g := newVault(t)
	p, _ := pack(t, v, tahoetest.Bytes(1, 1<<20))
	defer g.Hang(lookingAtOnce, tahoetest.OpGet)()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	results := make(chan error)
	for range lookingAtOnce + 1 {
		go func() {
			_, err := v.piece(ctx, p.Cap, 0, p.Size)
			results <- err
		}()
	}
	if err := <-results; err != nil {
		t.Errorf("all pieces wait for those that hang: %v", err)
	}
	cancel()
	for range lookingAtOnce {
		<-results
	}
}

// A server that hangs in the middle of a restore must not hold it up for the
// minutes in which the gateway still hopes.
func TestPieceThatHangsIsAskedForAnew(t *testing.T) {
	leastPatience, firstPatience = 100*time.Millisecond, 100*time.Millisecond
	t.Cleanup(func() { leastPatience, firstPatience = 40*time.Second, 2*time.Minute })
	v, g := newVault(t)
	p, refs := pack(t, v, tahoetest.Bytes(1, 4<<20), tahoetest.Bytes(2, 4<<20))
	v.far.Store(true)
	g.Hang(2, tahoetest.OpGet)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if got, err := fetchAll(ctx, v, p, refs); err != nil || len(got) != 2 {
		t.Errorf("%d chunks came: %v", len(got), err)
	}
}

// On a slow line every piece takes long: nothing is asked for twice because of that.
func TestPatienceGrowsWithWhatPiecesTake(t *testing.T) {
	v, _ := newVault(t)
	if got := v.patience(); got != firstPatience {
		t.Errorf("at first %v", got)
	}
	v.tookPiece(time.Second)
	if got := v.patience(); got != leastPatience {
		t.Errorf("on a fast line %v", got)
	}
	for range 100 {
		v.tookPiece(2 * time.Minute)
	}
	if got := v.patience(); got < 10*time.Minute || got > 12*time.Minute {
		t.Errorf("on a slow line %v", got)
	}
}

// Whoever restores must learn that a pack is lost, and not wait for it.
func TestPieceThatDoesNotComeIsAnErrorLikeAnyOther(t *testing.T) {
	v, g := newVault(t)
	p, refs := pack(t, v, tahoetest.Bytes(1, 4<<20), tahoetest.Bytes(2, 4<<20))
	v.far.Store(true)
	g.Corrupt(p.Cap)
	if got, err := fetchAll(t.Context(), v, p, refs); err == nil || !Unreadable(err) {
		t.Errorf("of a damaged pack %d chunks came: %v", len(got), err)
	}
	g.LoseObject(p.Cap)
	if _, err := fetchAll(t.Context(), v, p, refs); err == nil || !Unreadable(err) {
		t.Errorf("a lost pack: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	release := g.Hang(1, tahoetest.OpGet)
	defer release()
	go cancel()
	if _, err := fetchAll(ctx, v, p, refs); !errors.Is(err, context.Canceled) {
		t.Errorf("a fetch that was stopped: %v", err)
	}
}
