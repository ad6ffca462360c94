package localfs

import (
	"container/list"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// handle is a reference-counted file descriptor and the identity of what it is
// open on. A new handle has one reference; the last release closes it.
type handle struct {
	fd       int
	dev, ino uint64
	proc     string // the path of fd in /proc
	refs     atomic.Int32
}

func newHandle(fd int, st *unix.Stat_t) *handle {
	h := &handle{fd: fd, dev: uint64(st.Dev), ino: st.Ino, proc: procPath(fd)}
	h.refs.Store(1)
	return h
}

func (h *handle) retain() *handle {
	h.refs.Add(1)
	return h
}

func (h *handle) release() {
	if h.refs.Add(-1) == 0 {
		unix.Close(h.fd)
	}
}

// is reports whether st describes what h is open on.
func (h *handle) is(st *unix.Stat_t) bool {
	return h.dev == uint64(st.Dev) && h.ino == st.Ino
}

// openHandle opens name below dirfd and looks at what was opened.
func openHandle(dirfd int, name string, flags int) (*handle, *unix.Stat_t, error) {
	fd, err := openat(dirfd, name, flags|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, nil, err
	}
	return newHandle(fd, &st), &st, nil
}

func openat(dirfd int, name string, flags int, mode uint32) (fd int, err error) {
	err = again(func() error {
		fd, err = unix.Openat(dirfd, name, flags|unix.O_CLOEXEC, mode)
		return err
	})
	return fd, err
}

// openatQuiet opens for reading without touching the access time, where the
// system lets us: only the owner may.
func openatQuiet(dirfd int, name string, flags int) (int, error) {
	fd, err := openat(dirfd, name, flags|unix.O_NOATIME, 0)
	if err == unix.EPERM {
		return openat(dirfd, name, flags, 0)
	}
	return fd, err
}

func fstatat(dirfd int, name string, st *unix.Stat_t) error {
	return again(func() error {
		return unix.Fstatat(dirfd, name, st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
	})
}

// haveProc says whether /proc is there: the only way to attributes of what
// cannot be opened, such as a symbolic link.
var haveProc = sync.OnceValue(func() bool {
	var st unix.Stat_t
	return unix.Stat("/proc/self/fd", &st) == nil
})

func procPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// handleCache keeps the handles used last. It is safe for concurrent use.
type handleCache struct {
	mu    sync.Mutex
	max   int
	byKey map[string]*list.Element
	order *list.List // of *cached, the one used last in front
}

type cached struct {
	key string
	h   *handle
}

func newHandleCache(max int) *handleCache {
	return &handleCache{max: max, byKey: make(map[string]*list.Element), order: list.New()}
}

// get returns a reference the caller releases, or nil.
func (c *handleCache) get(key string) *handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.byKey[key]
	if el == nil {
		return nil
	}
	c.order.MoveToFront(el)
	return el.Value.(*cached).h.retain()
}

// put keeps a reference of its own to h.
func (c *handleCache) put(key string, h *handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.byKey[key])
	c.byKey[key] = c.order.PushFront(&cached{key, h.retain()})
	if c.order.Len() > c.max {
		c.remove(c.order.Back())
	}
}

func (c *handleCache) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.byKey[key])
}

func (c *handleCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.order.Len() > 0 {
		c.remove(c.order.Back())
	}
}

func (c *handleCache) remove(el *list.Element) {
	if el == nil {
		return
	}
	e := c.order.Remove(el).(*cached)
	delete(c.byKey, e.key)
	e.h.release()
}
