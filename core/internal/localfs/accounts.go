package localfs

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// accounts knows the names of local users and groups. It reads the two files
// itself: a look-up through the C library may ask a directory server, and that
// would be a packet outside of Tor. It is read-only once loaded.
type accounts struct {
	users, groups map[uint32]string
	uids, gids    map[string]uint32
}

func loadAccounts() *accounts {
	a := &accounts{}
	a.users, a.uids = readAccounts("/etc/passwd")
	a.groups, a.gids = readAccounts("/etc/group")
	return a
}

// readAccounts reads lines of "name:password:number:…". What it cannot read
// has no name; numbers do without.
func readAccounts(file string) (map[uint32]string, map[string]uint32) {
	names, ids := make(map[uint32]string), make(map[string]uint32)
	f, err := os.Open(file)
	if err != nil {
		return names, ids
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.SplitN(lines.Text(), ":", 4)
		if len(fields) < 4 || fields[0] == "" {
			continue
		}
		n, err := strconv.ParseUint(fields[2], 10, 32)
		if err != nil {
			continue
		}
		// The first line of a number and of a name counts, as in the C library.
		if _, known := names[uint32(n)]; !known {
			names[uint32(n)] = fields[0]
		}
		if _, known := ids[fields[0]]; !known {
			ids[fields[0]] = uint32(n)
		}
	}
	return names, ids
}
