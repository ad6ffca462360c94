package ui

import (
	"github.com/gotk3/gotk3/gdk"
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/ui/internal/accessible"
)

// code shows a picture of QR codes as large as fits, so that a telephone sees
// all of it.
type code struct {
	*page
	Image *gtk.Image `ui:"code_image"`
}

// openCode shows a picture in PNG; what it is of is for those who do not see it.
func (w *window) openCode(png []byte, what string) error {
	loader, err := gdk.PixbufLoaderNew()
	if err != nil {
		return err
	}
	picture, err := loader.WriteAndReturnPixbuf(png)
	if err != nil {
		return err
	}
	// By a whole number, so that the edges stay sharp.
	room := max(w.Stack.GetAllocatedHeight()-24, 200)
	by := (picture.GetHeight() + room - 1) / room
	if picture, err = picture.ScaleSimple(picture.GetWidth()/by, picture.GetHeight()/by, gdk.INTERP_BILINEAR); err != nil {
		return err
	}
	c := &code{}
	c.page = w.newPage("code", T("QR Code"), c)
	c.Image.SetFromPixbuf(picture)
	accessible.SetName(c.Image, what)
	w.open(c.page)
	return nil
}
