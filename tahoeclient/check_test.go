package tahoeclient_test

import (
	"testing"

	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

func check(t *testing.T, c *tahoeclient.Client, at tahoeclient.Cap, o tahoeclient.CheckOptions) tahoeclient.Health {
	t.Helper()
	h, err := c.Check(testContext(t), at, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestLostSharesAreRepaired(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	file := put(t, c, tahoetest.Bytes(1, 1000))
	g.LoseShares(file, 3)
	h := check(t, c, file, tahoeclient.CheckOptions{})
	if h.Healthy || !h.Recoverable || h.SharesGood != 3 || h.SharesTotal != 5 || h.Repair != nil {
		t.Errorf("before: %+v", h)
	}
	h = check(t, c, file, tahoeclient.CheckOptions{Repair: true})
	if !h.Healthy || h.SharesGood != 5 || *h.Repair != (tahoeclient.RepairResult{Attempted: true, Successful: true}) {
		t.Errorf("after: %+v %+v", h, h.Repair)
	}
	h = check(t, c, file, tahoeclient.CheckOptions{Repair: true})
	if !h.Healthy || h.Repair.Attempted {
		t.Errorf("again: %+v", h)
	}
	g.LoseShares(file, 2)
	h = check(t, c, file, tahoeclient.CheckOptions{Repair: true})
	if h.Healthy || h.Recoverable || !h.Repair.Attempted || h.Repair.Successful || h.SharesGood != 2 {
		t.Errorf("beyond repair: %+v", h)
	}
}

func TestCorruptSharesOfFilesStay(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	file, dir := put(t, c, tahoetest.Bytes(1, 1000)), makeDir(t, c, "a")
	g.CorruptShares(file, 1)
	g.CorruptShares(dir, 1)
	if h := check(t, c, file, tahoeclient.CheckOptions{}); !h.Healthy {
		t.Errorf("seen without looking: %+v", h)
	}
	h := check(t, c, file, tahoeclient.CheckOptions{Verify: true})
	si, _ := file.StorageIndex()
	if h.Healthy || h.CorruptShares != 1 || len(h.Corrupt) != 1 || h.Corrupt[0].StorageIndex != si || h.Corrupt[0].Server == "" {
		t.Errorf("%+v", h)
	}
	if h = check(t, c, file, tahoeclient.CheckOptions{Verify: true, Repair: true}); h.Healthy || h.Repair.Successful {
		t.Errorf("a corrupt share of a file was repaired: %+v", h)
	}
	if h = check(t, c, dir, tahoeclient.CheckOptions{Verify: true, Repair: true}); !h.Healthy || !h.Repair.Successful {
		t.Errorf("a corrupt share of a directory was not repaired: %+v", h)
	}
	if _, err := c.ReadAll(testContext(t), file, 0, -1); err != nil {
		t.Errorf("four good shares are enough: %v", err)
	}
}

func TestLeasesAreRenewed(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	file := put(t, c, tahoetest.Bytes(1, 1000))
	check(t, c, file, tahoeclient.CheckOptions{})
	if n := g.Leases(file); n != 1 {
		t.Errorf("%d leases after the upload", n)
	}
	check(t, c, file, tahoeclient.CheckOptions{AddLease: true})
	if n := g.Leases(file); n != 2 {
		t.Errorf("%d leases after renewing", n)
	}
}

func TestChecksAreRepeated(t *testing.T) {
	g := tahoetest.NewGateway(t)
	c := g.Client(t)
	file := put(t, c, tahoetest.Bytes(1, 1000))
	g.Fail(1, 500, "builtins.RuntimeError: x", tahoetest.OpCheck)
	g.Drop(1, tahoetest.OpCheck)
	if h := check(t, c, file, tahoeclient.CheckOptions{}); !h.Healthy {
		t.Errorf("%+v", h)
	}
	g.SetServers(2, 5)
	h := check(t, c, file, tahoeclient.CheckOptions{})
	if h.Recoverable || h.SharesGood != 2 || len(h.RespondingServers) != 2 {
		t.Errorf("%+v", h)
	}
}
