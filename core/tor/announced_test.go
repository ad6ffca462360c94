package tor

import "testing"

func TestAnnouncementsAreCounted(t *testing.T) {
	var a announcements
	check := func(when string, want bool) {
		t.Helper()
		if got := a.holds("abc"); got != want {
			t.Errorf("%s: announced %v", when, got)
		}
	}
	check("before anything", false)
	for _, line := range []string{"", "HS_DESC", "HS_DESC UPLOADED", "HS_DESC UPLOADED abc", "HS_DESC FAILED abc UNKNOWN $1 REASON=X", "NONSENSE UPLOADED abc UNKNOWN $1"} {
		a.hear(line)
	}
	check("after what says nothing of it", false)
	for _, directory := range []string{"$1", "$2", "$3"} {
		a.hear("HS_DESC UPLOAD abc UNKNOWN " + directory + " id HSDIR_INDEX=0")
	}
	check("when nobody took it", false)
	a.hear("HS_DESC UPLOADED abc UNKNOWN $1")
	a.hear("HS_DESC UPLOADED xyz UNKNOWN $2")
	check("when one of three took it", false)
	a.hear("HS_DESC UPLOADED abc UNKNOWN $2")
	check("when two of three took it", true)
	a.hear("HS_DESC UPLOAD abc UNKNOWN $2 id HSDIR_INDEX=0")
	check("while it is renewed", true)
	a.hear("NETWORK_LIVENESS DOWN")
	check("without a network", false)
	a.hear("NETWORK_LIVENESS UP")
	check("with a network again", true)
	for directory, at := range a.of["abc"] {
		if !at.IsZero() {
			a.of["abc"][directory] = at.Add(-lasts)
		}
	}
	check("hours later", false)
	a.hear("HS_DESC UPLOADED abc UNKNOWN $4")
	a.hear("HS_DESC UPLOADED abc UNKNOWN $5")
	check("when others took it", true)
	a.forget("abc")
	check("once it is ended", false)
}
