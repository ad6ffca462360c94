package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"hiddenbackup/core/host"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/tor"
)

// An invite on a telephone is the picture; what it shows must be the invite.
func TestInviteAsPictureAndText(t *testing.T) {
	_, address, err := tor.NewOnionKey()
	if err != nil {
		t.Fatal(err)
	}
	furl, err := manifest.ParseFurl("pb://" + strings.Repeat("a", 32) + "@tor:" + address + ":3457/" + strings.Repeat("b", 32))
	if err != nil {
		t.Fatal(err)
	}
	key, err := manifest.NewSecret(nil)
	if err != nil {
		t.Fatal(err)
	}
	invite := &host.Invite{
		Service: "storage", Made: time.Now().UTC().Truncate(time.Second), Expires: time.Now().UTC().Truncate(time.Second).AddDate(0, 0, 30),
		Server: manifest.Server{ID: "v0-" + strings.Repeat("c", 52), Nickname: "host-cccccc", Operator: strings.Repeat("o", 128),
			Place: strings.Repeat("p", 128), Furl: furl, OnionKey: key},
	}
	dir := t.TempDir()
	text, picture := filepath.Join(dir, "text"), filepath.Join(dir, "code.png")
	null, err := os.Create(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	a := &app{out: null, err: null}
	if err := a.printInvite(invite, text, picture); err != nil {
		t.Fatal(err)
	}
	if err := a.printInvite(invite, text, ""); err == nil {
		t.Error("a file that was there is overwritten")
	}
	written, err := os.ReadFile(text)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	scanned, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]string{"text": string(written), "picture": scanned.GetText()} {
		got, err := host.ParseInvites([]byte(form))
		if err != nil || len(got) != 1 || *got[0] != *invite {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
