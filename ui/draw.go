package ui

import (
	"math"

	"github.com/gotk3/gotk3/cairo"
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/core"
)

// Pictures are drawn in the colours of the theme, and say nothing that a text
// beside them does not say as well.

// color sets the theme's colour of that name, or its colour of text where it has
// none.
func color(w *gtk.DrawingArea, c *cairo.Context, name string, alpha float64) {
	style := must(w.GetStyleContext())
	rgba, ok := style.LookupColor(name)
	if !ok {
		rgba = style.GetColor(gtk.STATE_FLAG_NORMAL)
	}
	v := rgba.Floats()
	c.SetSourceRGBA(v[0], v[1], v[2], v[3]*alpha)
}

// drawRate draws the rates of the last minute; the newest stands at the end of
// the line, as the language reads.
func drawRate(w *gtk.DrawingArea, c *cairo.Context, rates []float64) {
	width, height := float64(w.GetAllocatedWidth()), float64(w.GetAllocatedHeight())
	highest := 1.0
	for _, r := range rates {
		highest = max(highest, r)
	}
	if len(rates) < 2 {
		return
	}
	if gtk.GetLocaleDirection() == gtk.TEXT_DIR_RTL {
		c.Translate(width, 0)
		c.Scale(-1, 1)
	}
	step := width / (mostRates - 1)
	x := width - step*float64(len(rates)-1)
	c.MoveTo(x, height)
	for i, r := range rates {
		c.LineTo(x+step*float64(i), height-1-(height-3)*r/highest)
	}
	c.LineTo(width, height)
	c.ClosePath()
	color(w, c, "theme_selected_bg_color", 0.35)
	c.FillPreserve()
	color(w, c, "theme_selected_bg_color", 1)
	c.SetLineWidth(1.5)
	c.Stroke()
}

// drawServers draws a dot for each server, full if it answers, and a line under
// as many as a restore needs.
func drawServers(w *gtk.DrawingArea, c *cairo.Context, s core.Status) {
	n := len(s.Servers)
	if n == 0 {
		return
	}
	width, height := float64(w.GetAllocatedWidth()), float64(w.GetAllocatedHeight())
	step := min(width/float64(n), 48)
	radius := min(step*0.36, height*0.3)
	start := (width - step*float64(n)) / 2
	if gtk.GetLocaleDirection() == gtk.TEXT_DIR_RTL {
		c.Translate(width, 0)
		c.Scale(-1, 1)
	}
	y := height * 0.42
	answering := 0
	for _, full := range []bool{true, false} { // those that answer stand first
		for _, v := range s.Servers {
			if (v.Connected && !v.Silent) != full {
				continue
			}
			c.NewPath()
			c.Arc(start+step*(float64(answering)+0.5), y, radius, 0, 2*math.Pi)
			answering++
			if full {
				color(w, c, "theme_selected_bg_color", 1)
				c.FillPreserve()
			}
			color(w, c, "theme_fg_color", 0.5)
			c.SetLineWidth(2)
			c.Stroke()
		}
	}
	need := step * float64(min(s.Needed, n))
	color(w, c, "theme_fg_color", 0.8)
	c.SetLineWidth(2)
	c.MoveTo(start+4, y+radius+8)
	c.LineTo(start+need-4, y+radius+8)
	c.Stroke()
}
