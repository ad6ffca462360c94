package tornet

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// The authorities vote, then send each other signatures, then publish.
	untilFirstVote        = 5 * time.Second
	votingDelaySeconds    = 2
	votingIntervalSeconds = 20

	measuredName = "bandwidths"
	measured     = "20" // kB/s: as much as tor allows those who are not measured
)

// torrc is the configuration of one node.
//
// The authorities vote as soon as all have had time to start, and then as
// often as keeps the rest fresh: of what they vote on, an onion service's
// announcement counts for 24 votes.
//
// A client has one guard, and a circuit that is to end there as well fails: for
// ever, if no other relay is fit for an end. Left to themselves half of the
// relays are not stable enough, and of the others some measure no bandwidth.
// So all are stable, the relays are equally fast, and only they are guards.
func (n *Network) torrc(o *node) []byte {
	lines := append([]string{}, n.lines...)
	lines = append(lines,
		"DataDirectory "+o.dir,
		"Nickname "+o.name,
		"Address 127.0.0.1",
		fmt.Sprintf("ORPort 127.0.0.1:%d", o.orPort),
		"SocksPort 0",
		"AssumeReachable 1",
		"ExitRelay 0",
		"NumCPUs 1",
		"__OwningControllerProcess "+strconv.Itoa(os.Getpid()),
	)
	if o.dirPort != 0 {
		lines = append(lines,
			fmt.Sprintf("DirPort 127.0.0.1:%d", o.dirPort),
			"AuthoritativeDirectory 1",
			"V3AuthoritativeDirectory 1",
			"ContactInfo nobody@example.org",
			fmt.Sprint("TestingV3AuthInitialVotingInterval ", votingIntervalSeconds),
			fmt.Sprint("TestingV3AuthInitialVoteDelay ", votingDelaySeconds),
			fmt.Sprint("TestingV3AuthInitialDistDelay ", votingDelaySeconds),
			fmt.Sprint("V3AuthVotingInterval ", votingIntervalSeconds),
			fmt.Sprint("V3AuthVoteDelay ", votingDelaySeconds),
			fmt.Sprint("V3AuthDistDelay ", votingDelaySeconds),
			fmt.Sprintf("TestingV3AuthVotingStartOffset %d", (n.firstVote.Unix()+2*votingDelaySeconds)%votingIntervalSeconds),
			"V3BandwidthsFile "+filepath.Join(o.dir, measuredName),
			"AuthDirVoteStableGuaranteeMinUptime 0",
			"AuthDirVoteStableGuaranteeMTBF 0",
			"TestingDirAuthVoteGuard "+strings.Join(n.guards, ","),
			"TestingDirAuthVoteGuardIsStrict 1",
			"TestingDirAuthVoteHSDir *",
		)
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}
