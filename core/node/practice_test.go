package node_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hiddenbackup/core/node"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/tahoeclient"
)

func TestPracticeGridKeepsItsFilesAndAddresses(t *testing.T) {
	nodetest.RequireTahoe(t)
	cfg := node.PracticeConfig{Dir: filepath.Join(nodetest.Dir(t), "practice"), Nodes: 2, Needed: 1, Happy: 2, Total: 2}
	p, err := node.StartPractice(deadline(t, time.Minute), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if _, err := node.StartPractice(deadline(t, time.Minute), cfg); !errors.Is(err, node.ErrAlreadyRunning) {
		t.Errorf("a second grid in the same place: %v", err)
	}
	before := p.Grid()
	g := startGateway(t, nodetest.ConfigFor(t, before))
	file := upload(t, g)

	if err := p.StopNode(0); err != nil {
		t.Fatal(err)
	}
	if err := p.StartNode(deadline(t, time.Minute), 0); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if left := processesIn(cfg.Dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	status, err := node.StatusOfPractice(cfg.Dir)
	if err != nil || len(status.Nodes) != 2 || status.Nodes[0].Running || status.Introducer.Running || status.Nodes[1].Used == 0 {
		t.Errorf("status of the stopped grid is %+v: %v", status, err)
	}

	again, err := node.StartPractice(deadline(t, time.Minute), node.PracticeConfig{Dir: cfg.Dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	after := again.Grid()
	if len(after.Servers) != 2 || after.Introducers[0] != before.Introducers[0] ||
		after.Servers[0] != before.Servers[0] || after.Servers[1] != before.Servers[1] {
		t.Error("the grid has other addresses than before")
	}
	if after.Needed != 1 || after.Happy != 2 || after.Total != 2 {
		t.Errorf("needed/happy/total became %d/%d/%d", after.Needed, after.Happy, after.Total)
	}
	second := startGateway(t, nodetest.ConfigFor(t, after))
	if _, err := second.WaitServers(deadline(t, 20*time.Second), 2); err != nil {
		t.Fatal(err)
	}
	client := tahoeclient.New(second.Socket(), tahoeclient.Options{})
	defer client.Close()
	data, err := client.ReadAll(deadline(t, 20*time.Second), file, 0, int64(len(content)))
	if err != nil || !bytes.Equal(data, content) {
		t.Errorf("reading back after the restart: %v", err)
	}
}

func TestPracticeNodesFailAsTold(t *testing.T) {
	nodetest.RequireTahoe(t)
	cfg := node.PracticeConfig{Dir: filepath.Join(nodetest.Dir(t), "practice"), Nodes: 1}
	owner, dir := startOwner(t, ownPractice, cfg)
	pid := tahoePID(t, filepath.Join(dir, "node-1"))
	status, err := node.StatusOfPractice(dir)
	if err != nil || !status.Nodes[0].Running || !status.Introducer.Running || status.Keeper != 0 {
		t.Errorf("status is %+v: %v", status, err)
	}
	owner.Process.Kill()
	owner.Wait()
	eventually(t, "the processes are gone", func() bool { return len(processesIn(dir)) == 0 && !running(pid) })

	p, err := node.StartPractice(deadline(t, time.Minute), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if err := errors.Join(p.Suspend(0), p.Resume(0), p.KillNode(0)); err != nil {
		t.Error(err)
	}
	if err := p.Suspend(0); err == nil {
		t.Error("a node that does not run can be suspended")
	}
	if err := p.StartNode(deadline(t, time.Minute), 0); err != nil {
		t.Error(err)
	}
	if err := p.StartNode(deadline(t, time.Minute), 0); !errors.Is(err, node.ErrAlreadyRunning) {
		t.Errorf("starting a running node: %v", err)
	}
	p.Suspend(0) // and yet it ends
	p.Close()
	if left := processesIn(dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

func TestKeptPracticeGrid(t *testing.T) {
	nodetest.RequireTahoe(t)
	cfg := node.PracticeConfig{Dir: filepath.Join(nodetest.Dir(t), "practice"), Nodes: 1}
	if _, err := node.StatusOfPractice(cfg.Dir); !errors.Is(err, node.ErrNoPractice) {
		t.Errorf("status of none: %v", err)
	}
	if _, err := node.PracticeGrid(cfg.Dir); !errors.Is(err, node.ErrNoPractice) {
		t.Errorf("description of none: %v", err)
	}
	kept, err := node.SpawnPractice(deadline(t, time.Minute), []string{self(t), beKeeper}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.StopPractice(cfg.Dir) })
	status, err := node.StatusOfPractice(cfg.Dir)
	if err != nil || status.Keeper != kept.PID || !status.Nodes[0].Running {
		t.Errorf("status is %+v: %v", status, err)
	}
	grid, err := node.PracticeGrid(cfg.Dir)
	if err != nil || len(grid.Servers) != 1 || grid.Network != node.Loopback || grid.Needed != 1 {
		t.Errorf("the description is %+v: %v", grid, err)
	}
	if info, err := os.Stat(filepath.Join(cfg.Dir, "grid.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the description has mode %v: %v", info.Mode(), err)
	}
	if _, err := node.SpawnPractice(deadline(t, time.Minute), []string{self(t), beKeeper}, cfg); !errors.Is(err, node.ErrAlreadyRunning) {
		t.Errorf("a second keeper: %v", err)
	}
	if err := node.StopPractice(cfg.Dir); err != nil {
		t.Fatal(err)
	}
	if left := processesIn(cfg.Dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if err := node.StopPractice(cfg.Dir); !errors.Is(err, node.ErrNoPractice) {
		t.Errorf("stopping it again: %v", err)
	}
}
