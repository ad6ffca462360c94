package vault

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

// fetchAll fetches the chunks of a pack with one Range.
func fetchAll(ctx context.Context, v *Vault, p snapshot.Pack, refs []snapshot.ChunkRef) (got [][]byte, err error) {
	return fetchRange(ctx, v, Range{Pack: p, Chunks: refs})
}

// fetchRange returns what came, in the order of the chunks.
func fetchRange(ctx context.Context, v *Vault, r Range) (got [][]byte, err error) {
	came := make(map[uint32][]byte)
	err = v.Fetch(ctx, r, nil, func(c snapshot.ChunkRef, plain []byte) error {
		came[c.Offset] = bytes.Clone(plain)
		return nil
	})
	for _, c := range r.Chunks {
		if plain, ok := came[c.Offset]; ok {
			got = append(got, plain)
		}
	}
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
	last := false
	check := func(requests int) {
		t.Helper()
		gets(t, g, requests, func() {
			got, err := fetchRange(t.Context(), v, Range{Pack: p, Chunks: refs, Last: last})
			if err != nil || !bytes.Equal(bytes.Join(got, nil), bytes.Join(content, nil)) {
				t.Fatalf("something else came: %v", err)
			}
		})
	}
	v.far.Store(false)
	check(1)
	v.far.Store(true)
	check(5) // of two segments each
	last = true
	check(10)
	last = false

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
	p, refs := pack(t, v, tahoetest.Bytes(1, 1<<20))
	defer g.Hang(lookingAtOnce, tahoetest.OpGet)()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	results := make(chan error)
	for range lookingAtOnce + 1 {
		go func() {
			_, err := fetchAll(ctx, v, p, refs)
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

// What came early must not wait in memory for what comes late.
func TestPieceThatIsLateHoldsUpNoOther(t *testing.T) {
	v, g := newVault(t)
	p, refs := pack(t, v, tahoetest.Bytes(1, 1<<20), tahoetest.Bytes(2, 1<<20), tahoetest.Bytes(3, 4<<20), tahoetest.Bytes(4, 1<<20))
	v.far.Store(true)
	v.least.Store(int64(time.Millisecond))
	release := g.Hang(1, tahoetest.OpGet)
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	came := make(map[snapshot.ChunkID]int)
	err := v.Fetch(ctx, Range{Pack: p, Chunks: refs}, nil, func(c snapshot.ChunkRef, plain []byte) error {
		if came[c.ID]++; len(came) == 2 {
			release() // two of four at least need nothing of any one piece
		}
		return nil
	})
	if err != nil || len(came) != 4 {
		t.Errorf("%d chunks came: %v", len(came), err)
	}
	for _, n := range came {
		if n != 1 {
			t.Errorf("a chunk came %d times", n)
		}
	}
}

// What is lost of a pack must not take the rest of it along.
func TestWhatIsThereOfADamagedPackIsSaved(t *testing.T) {
	v, g := newVault(t)
	p, refs := pack(t, v, tahoetest.Bytes(1, 1<<20), tahoetest.Bytes(2, 4<<20), tahoetest.Bytes(3, 1<<20))
	v.client = tahoeclient.New(g.Socket(), tahoeclient.Options{Attempts: 1})
	t.Cleanup(v.client.Close)
	v.far.Store(true)
	v.fetching = semaphore.NewWeighted(pieceWeight) // the first one fails before there are others
	g.Fail(1, 410, "allmydata.interfaces.NoSharesError: x", tahoetest.OpGet)
	got, err := fetchAll(t.Context(), v, p, refs)
	if err == nil || !Unreadable(err) || len(got) != 1 {
		t.Errorf("%d chunks came, and the third is whole: %v", len(got), err)
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
