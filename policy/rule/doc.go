// Package rule compiles and evaluates the conditions of profile rules: CEL
// expressions over a fixed list of typed variables, with no input or output,
// no clock and no randomness.
//
// What cannot be bounded is refused when it is compiled: a result that is not
// a bool, an expression whose worst case costs more than [MaxCost], a
// function whose result can outgrow its input. What slips through is stopped
// at run time by a cost limit and reported as an error, never as false.
//
// Start reading with [Compiler] and [Program].
package rule
