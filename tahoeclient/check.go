package tahoeclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// CheckOptions says how thorough a check is and what it does besides.
type CheckOptions struct {
	Verify   bool // fetch every share and test it; otherwise only ask who has one
	Repair   bool // make missing shares again; a mutable object needs its write capability
	AddLease bool // renew the lease on every share
}

// Health is the state of one object on the grid; after a repair, the state it
// left behind.
type Health struct {
	Healthy     bool // all shares are there
	Recoverable bool // enough shares are there to read it

	SharesGood, SharesNeeded, SharesTotal int

	// Happiness is the number of servers that could each hold a different
	// share: all of an object's shares on two servers are Healthy, too.
	Happiness     int
	GoodHosts     int // servers with at least one good share
	WrongShares   int // of other versions
	CorruptShares int // known only with Verify

	// More than one recoverable version is a fork; unrecoverable ones are
	// leftovers. Immutable objects have one version.
	RecoverableVersions, UnrecoverableVersions int

	RespondingServers []string            // IDs as in Server
	ShareMap          map[string][]string // share to IDs of the servers that hold it
	Corrupt           []CorruptShare

	Repair *RepairResult // nil if no repair was asked for
}

// CorruptShare is one share that is not what it should be.
type CorruptShare struct {
	Server       string // ID
	StorageIndex string
	Share        int
}

// RepairResult is what became of a repair. Healthy objects need no attempt. A
// corrupt share of an immutable object stays where it is, and the repair is
// not successful.
type RepairResult struct {
	Attempted, Successful bool
}

// Check asks the servers which shares of an object they hold. It works with
// capabilities that can read; verify capabilities are refused by Tahoe.
func (c *Client) Check(ctx context.Context, object Cap, o CheckOptions) (Health, error) {
	const op = "checking"
	if !object.CanRead() {
		return Health{}, fmt.Errorf("%s: %w: %v cannot be checked", op, ErrBadCap, object)
	}
	if o.Repair && object.IsMutable() && !object.CanWrite() {
		return Health{}, fmt.Errorf("%s: %w: repairing %v", op, ErrNotWritable, object)
	}
	var h Health
	err := c.retry(ctx, op, func() (err error) {
		h, err = c.check(ctx, op, object, o)
		if o.Repair && (errors.Is(err, ErrNotEnoughShares) || errors.Is(err, ErrGone)) {
			// The repair of a file that cannot be read ends in an error; what
			// is wrong with it, only a mere check tells.
			o := o
			o.Repair = false
			h, err = c.check(ctx, op, object, o)
			h.Repair = &RepairResult{Attempted: true}
		}
		return err
	})
	if err != nil {
		return Health{}, err
	}
	return h, nil
}

// check is Check, once.
func (c *Client) check(ctx context.Context, op string, object Cap, o CheckOptions) (Health, error) {
	q := url.Values{"t": {"check"}, "output": {"JSON"}}
	for name, on := range map[string]bool{"verify": o.Verify, "repair": o.Repair, "add-lease": o.AddLease} {
		if on {
			q.Set(name, "true")
		}
	}
	var moved int64
	if o.Verify || o.Repair {
		moved = sharesSize(object)
	}
	answer, err := c.call(ctx, request{op: op, method: http.MethodPost, url: uri(object, q)}, nil, maxJSON, moved)
	if err != nil {
		return Health{}, err
	}
	h, ok := parseHealth(answer, o.Repair)
	if !ok {
		return Health{}, nonsense(op, "not the state of an object")
	}
	return h, nil
}

// sharesSize is about how much a check with Verify fetches.
func sharesSize(object Cap) int64 {
	size, _ := object.Size()
	needed, total, ok := object.Encoding()
	if !ok {
		return size
	}
	return int64(min(float64(size)*float64(total)/float64(needed), 1<<62)) // a size may be absurd
}

type wireResults struct {
	Healthy               bool                `json:"healthy"`
	Recoverable           *bool               `json:"recoverable"`
	Happiness             int                 `json:"count-happiness"`
	SharesGood            int                 `json:"count-shares-good"`
	SharesNeeded          int                 `json:"count-shares-needed"`
	SharesExpected        int                 `json:"count-shares-expected"`
	GoodHosts             int                 `json:"count-good-share-hosts"`
	WrongShares           int                 `json:"count-wrong-shares"`
	CorruptShares         int                 `json:"count-corrupt-shares"`
	Corrupt               [][]any             `json:"list-corrupt-shares"`
	Responding            []string            `json:"servers-responding"`
	ShareMap              map[string][]string `json:"sharemap"`
	RecoverableVersions   int                 `json:"count-recoverable-versions"`
	UnrecoverableVersions int                 `json:"count-unrecoverable-versions"`
}

func parseHealth(data []byte, repaired bool) (Health, bool) {
	type results struct {
		Results *wireResults `json:"results"`
	}
	var answer struct {
		results
		Attempted  bool     `json:"repair-attempted"`
		Successful bool     `json:"repair-successful"`
		After      *results `json:"post-repair-results"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return Health{}, false
	}
	found := answer.Results
	if found == nil && answer.After != nil {
		found = answer.After.Results
	}
	if found == nil {
		return Health{}, false
	}
	h := found.health()
	if repaired {
		h.Repair = &RepairResult{answer.Attempted, answer.Successful}
	}
	return h, true
}

func (w *wireResults) health() Health {
	h := Health{
		Healthy:               w.Healthy,
		Recoverable:           w.Healthy, // literals, which live in their capability, say only that
		SharesGood:            w.SharesGood,
		SharesNeeded:          w.SharesNeeded,
		SharesTotal:           w.SharesExpected,
		Happiness:             w.Happiness,
		GoodHosts:             w.GoodHosts,
		WrongShares:           w.WrongShares,
		CorruptShares:         w.CorruptShares,
		RecoverableVersions:   w.RecoverableVersions,
		UnrecoverableVersions: w.UnrecoverableVersions,
		RespondingServers:     w.Responding,
		ShareMap:              w.ShareMap,
	}
	if w.Recoverable != nil {
		h.Recoverable = *w.Recoverable
	}
	for _, entry := range w.Corrupt {
		if len(entry) != 3 {
			continue
		}
		var s CorruptShare
		s.Server = word(entry[0])
		s.StorageIndex = word(entry[1])
		if n, ok := entry[2].(float64); ok {
			s.Share = int(n)
		}
		h.Corrupt = append(h.Corrupt, s)
	}
	return h
}
