package cql

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// span is the time a literal or a function stands for, to exclusive.
type span struct{ from, to time.Time }

// dateLiteral reads yyyy-MM-dd, yyyy/MM/dd and both with HH:mm, in zone.
func dateLiteral(text string, zone *time.Location) (span, bool) {
	text = strings.ReplaceAll(strings.TrimSpace(text), "/", "-")
	if t, err := time.ParseInLocation("2006-01-02", text, zone); err == nil {
		return span{t, t.AddDate(0, 0, 1)}, true
	}
	if t, err := time.ParseInLocation("2006-01-02 15:04", text, zone); err == nil {
		return span{t, t.Add(time.Minute)}, true
	}
	return span{}, false
}

// dateFunction evaluates now, startOf… and endOf…, name in lower case, with an
// optional increment such as "-4h"; a bare number counts in the function's own
// unit. ok is false when there is no such function.
func dateFunction(name, increment string, env Env) (at span, ok bool, err error) {
	now := env.Now.In(env.Zone)
	t, unit := now, "m"
	if name != "now" {
		period, isEnd := strings.CutPrefix(name, "endof")
		if !isEnd {
			if period, ok = strings.CutPrefix(name, "startof"); !ok {
				return span{}, false, nil
			}
		}
		first, after, u := around(now, period)
		if u == "" {
			return span{}, false, nil
		}
		t, unit = first, u
		if isEnd {
			t = after.Add(-time.Millisecond)
		}
	}
	t, err = advance(t, increment, unit)
	return span{t, t.Add(time.Millisecond)}, true, err
}

// around gives the day, week (from Sunday), month or year that t lies in and
// the unit it is counted in; the unit is empty for an unknown period.
func around(t time.Time, period string) (first, after time.Time, unit string) {
	y, m, d := t.Date()
	date := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, t.Location()) }
	switch period {
	case "day":
		return date(y, m, d), date(y, m, d+1), "d"
	case "week":
		d -= int(t.Weekday())
		return date(y, m, d), date(y, m, d+7), "w"
	case "month":
		return date(y, m, 1), date(y, m+1, 1), "M"
	case "year":
		return date(y, 1, 1), date(y+1, 1, 1), "y"
	}
	return t, t, ""
}

// advance moves t by an increment: a sign, a number up to 6 digits and a unit
// of y M w d h m.
func advance(t time.Time, increment, unit string) (time.Time, error) {
	if increment == "" {
		return t, nil
	}
	parts := regexp.MustCompile(`^([+-]?)(\d{1,6})([yMwdhm]?)$`).FindStringSubmatch(increment)
	if parts == nil {
		return t, syntax("bad date increment %q", increment)
	}
	n, err := strconv.Atoi(parts[1] + parts[2])
	if err != nil {
		return t, syntax("bad date increment %q", increment)
	}
	if parts[3] != "" {
		unit = parts[3]
	}
	switch unit {
	case "y":
		return t.AddDate(n, 0, 0), nil
	case "M":
		return t.AddDate(0, n, 0), nil
	case "w":
		return t.AddDate(0, 0, 7*n), nil
	case "d":
		return t.AddDate(0, 0, n), nil
	case "h":
		return t.Add(time.Duration(n) * time.Hour), nil
	}
	return t.Add(time.Duration(n) * time.Minute), nil
}
