package uitest

import "testing"

// Things that only touch are what every page is full of.
func TestOverlapIsMoreThanTouching(t *testing.T) {
	button := area{X: 10, Y: 10, Width: 100, Height: 30}
	for other, want := range map[area]bool{
		{X: 110, Y: 10, Width: 50, Height: 30}:  false, // beside it
		{X: 10, Y: 40, Width: 100, Height: 30}:  false, // below it
		{X: 109, Y: 10, Width: 50, Height: 30}:  false, // by a shadow
		{X: 100, Y: 10, Width: 50, Height: 30}:  true,
		{X: 10, Y: 30, Width: 100, Height: 30}:  true,
		{X: 20, Y: 15, Width: 10, Height: 10}:   true, // inside
		{X: 0, Y: 0, Width: 1000, Height: 1000}: true, // around
	} {
		if button.overlaps(other) != want || other.overlaps(button) != want {
			t.Errorf("%+v over %+v is not %t", other, button, want)
		}
	}
}
