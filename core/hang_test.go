package core

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

// A gateway that takes one kind of request and never answers it ends each
// operation that needs it: within the client's bounds, and the error names what
// was asked. The next run succeeds.
func TestEveryRequestThatHangsEndsTheOperation(t *testing.T) {
	tests := []struct {
		operation string
		hangs     tahoetest.Op
		named     string
	}{
		{"backup", tahoetest.OpGrid, "asking for the state of the grid"},
		{"backup", tahoetest.OpReadDir, "reading a directory"},
		{"backup", tahoetest.OpSetChildren, "linking"},
		{"backup", tahoetest.OpPut, "uploading"},
		{"backup", tahoetest.OpGet, "downloading"},
		{"backup", tahoetest.OpCheck, "checking"},
		{"restore", tahoetest.OpGrid, "asking for the state of the grid"},
		{"restore", tahoetest.OpReadDir, "reading a directory"},
		{"restore", tahoetest.OpGet, "downloading"},
	}
	for i, tt := range tests {
		t.Run(tt.operation+" "+string(tt.hangs), func(t *testing.T) {
			t.Parallel()
			m := newMemoryGrid(t, byte(i))
			treetest.Write(t, m.source, "file", treetest.Random(uint64(i), 3<<20))
			if err := m.backup(t.Context()); err != nil {
				t.Fatal(err)
			}
			hasty := m.hasty(t)
			run := hasty.backup
			if tt.operation == "restore" {
				run = hasty.restore
			}
			treetest.Write(t, m.source, "other file", treetest.Random(100+uint64(i), 1<<20))
			release := m.gateway.Hang(1<<30, tt.hangs)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := run(ctx)
			if ctx.Err() != nil || !errors.Is(err, tahoeclient.ErrNotAnswering) || !strings.Contains(err.Error(), tt.named) {
				t.Fatalf("%v", err)
			}
			if wantStuck := tt.hangs != tahoetest.OpGrid; errors.Is(err, tahoeclient.ErrStuck) != wantStuck {
				t.Errorf("is a server to blame? %v", err)
			}
			if m := Explain(err); m.Exit != ExitGrid {
				t.Errorf("%+v", m)
			}
			release()
			if err := m.backup(t.Context()); err != nil {
				t.Fatalf("the next backup: %v", err)
			}
			if err := m.restore(t.Context()); err != nil {
				t.Fatalf("the next restore: %v", err)
			}
			treetest.Same(t, m.source, filepath.Join(m.target, "papers"))
		})
	}
}

// memoryGrid is a Grid whose gateway and servers are in memory.
type memoryGrid struct {
	*Grid
	gateway        *tahoetest.Gateway
	vaultOptions   vault.Options
	source, target string
}

func newMemoryGrid(t *testing.T, secret byte) *memoryGrid {
	t.Helper()
	gateway := tahoetest.NewGateway(t)
	gateway.SetServers(6, 6)
	gateway.SetEncoding(3, 5, 6)
	keys, err := snapshot.NewKeys([32]byte{'h', 'a', 'n', 'g', secret})
	if err != nil {
		t.Fatal(err)
	}
	client := gateway.Client(t)
	o := vault.Options{Needed: 3, Happy: 5, Total: 6, Machine: "this"}
	if o.Directory, err = vault.Create(t.Context(), client, keys, o, vault.Config{}); err != nil {
		t.Fatal(err)
	}
	grid := manifest.Grid{Needed: 3, Happy: 5, Total: 6}
	return &memoryGrid{
		Grid: &Grid{
			connection: connection{grid: grid, client: client, wait: 20 * time.Second},
			access:     &Access{reader: &manifest.Reader{Grid: grid}, owner: &manifest.Manifest{}, keys: keys},
			vault:      vault.New(client, keys, o),
		},
		gateway: gateway, vaultOptions: o, source: t.TempDir(), target: t.TempDir(),
	}
}

// hasty is the same with a client that waits little.
func (m *memoryGrid) hasty(t *testing.T) *memoryGrid {
	client := tahoeclient.New(m.gateway.Socket(), tahoeclient.Options{
		IdleTimeout: 2 * time.Second, RequestTimeout: 3 * time.Second, RetryWait: time.Millisecond,
		MinRate: 16 << 20,
	})
	t.Cleanup(client.Close)
	h := *m
	h.Grid = &Grid{
		connection: connection{grid: m.grid, client: client, wait: 5 * time.Second},
		access:     m.access,
		vault:      vault.New(client, m.access.keys, m.vaultOptions),
	}
	return &h
}

func (m *memoryGrid) backup(ctx context.Context) error {
	folders := []manifest.Folder{{Name: "papers", Path: m.source}}
	_, err := m.Backup(ctx, Config{}, BackupPlan{Folders: folders, Filters: &Filters{}}, nil)
	return err
}

func (m *memoryGrid) restore(ctx context.Context) error {
	chosen, err := m.Choose(ctx, 0)
	if err != nil {
		return err
	}
	_, err = m.Restore(ctx, chosen.Snapshot, restore.Options{Places: restore.ResolvePlaces(chosen.Snapshot, m.target)}, nil)
	return err
}
