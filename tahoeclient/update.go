package tahoeclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
)

// SetChildren adds children to a directory in one update. With replace,
// children of the same names are replaced; without it, one of them is
// ErrConflict and nothing is changed. No children is no change.
func (c *Client) SetChildren(ctx context.Context, dir Cap, children map[string]Child, replace bool) error {
	const op = "linking"
	if err := writable(op, dir); err != nil {
		return err
	}
	if len(children) == 0 {
		return nil
	}
	body, err := encodeChildren(op, children)
	if err != nil {
		return err
	}
	q := url.Values{"t": {"set_children"}, "replace": {strconv.FormatBool(replace)}}
	r := request{op: op, method: http.MethodPost, url: uri(dir, q)}
	return c.update(ctx, dir, r, body, func(now map[string]Child) outcome {
		return linked(now, children)
	})
}

// Link adds one child to a directory; see SetChildren.
func (c *Client) Link(ctx context.Context, dir Cap, name string, child Cap, replace bool) error {
	return c.SetChildren(ctx, dir, map[string]Child{name: {Cap: child}}, replace)
}

// Unlink removes a child from a directory; ErrNoChild if there is none.
func (c *Client) Unlink(ctx context.Context, dir Cap, name string) error {
	const op = "unlinking"
	if err := writable(op, dir); err != nil {
		return err
	}
	if err := checkName(op, name); err != nil {
		return err
	}
	r := request{op: op, method: http.MethodPost, url: uri(dir, url.Values{"t": {"unlink"}, "name": {name}})}
	return c.update(ctx, dir, r, nil, func(now map[string]Child) outcome {
		if _, there := now[name]; there {
			return untouched
		}
		return done
	})
}

func writable(op string, dir Cap) error {
	switch {
	case !dir.IsDirectory():
		return fmt.Errorf("%s: %w: %v is not a directory", op, ErrBadCap, dir)
	case !dir.CanWrite():
		return fmt.Errorf("%s: %w: %v", op, ErrNotWritable, dir)
	}
	return nil
}

// outcome is what a directory shows of an update.
type outcome int

const (
	untouched outcome = iota // nothing of it
	partly                   // some of it: not our doing, an update is one piece
	done
)

// update makes one change of a directory. If it stays unknown whether that
// worked, the directory tells, by way of shows; the change is made again only
// if nothing of it is there.
func (c *Client) update(ctx context.Context, dir Cap, r request, body []byte, shows func(now map[string]Child) outcome) error {
	doubt := false
	p := patience{c: c}
	for {
		_, err := c.call(ctx, r, body, maxAnswer, 0)
		if err == nil {
			return nil
		}
		// After an attempt that may have worked, a refusal may be its echo:
		// the child is there, or gone, because we did that.
		unsure := uncertain(err)
		echo := doubt && !unsure && (errors.Is(err, ErrConflict) || errors.Is(err, ErrNoChild))
		if !unsure && !echo {
			return err
		}
		if err := contextError(ctx); err != nil {
			return err
		}
		doubt = true
		now, readErr := c.ReadDir(ctx, dir)
		if readErr != nil {
			if ctxErr := contextError(ctx); ctxErr != nil {
				return ctxErr
			}
			return fmt.Errorf("%w; looking what became of it: %w", err, readErr)
		}
		seen := shows(now)
		switch {
		case seen == done:
			return nil
		case echo, seen == partly:
			return err
		case p.exhausted(err):
			return c.why(ctx, err)
		}
		if err := c.pause(ctx, r.op, p.failed, err); err != nil {
			return err
		}
	}
}

// uncertain reports whether a change may have been made all the same. Errors
// of the gateway itself are such: two writers that collide end in one, and the
// change of the one that got it may be there.
func uncertain(err error) bool {
	var e *Error
	return errors.Is(err, ErrNotAnswering) || (errors.As(err, &e) && serverSide(e.Status) && !errors.Is(err, ErrNotWritable))
}

// linked compares a directory with the children it should have got.
func linked(now, want map[string]Child) outcome {
	same := 0
	for name, child := range want {
		got, there := now[name]
		if there && got.Cap == child.Cap && sameMetadata(got.Metadata, child.Metadata) {
			same++
		}
	}
	switch same {
	case len(want):
		return done
	case 0:
		return untouched
	}
	return partly
}

// sameMetadata compares what was asked for with what is there, which has one
// more key. nil asked for nothing.
func sameMetadata(got, want map[string]any) bool {
	if want == nil {
		return true
	}
	text, err := json.Marshal(want)
	if err != nil {
		return false
	}
	var sent map[string]any // with JSON's types, as got
	if json.Unmarshal(text, &sent) != nil {
		return false
	}
	for k, v := range sent {
		if k != "tahoe" && !reflect.DeepEqual(got[k], v) {
			return false
		}
	}
	return true
}
