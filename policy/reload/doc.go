// Package reload keeps the profiles of a folder in force while the folder
// changes. A change is taken over whole, after every file was checked and
// every test in it ran, or not at all: then the last good profiles stay and
// [Status] says what is wrong. Twenty revisions are kept on disk, for
// [Reloader.Rollback] and for a start with a broken folder.
//
// A file that someone else could have written is not trusted: symbolic links,
// files others may write, and files that change while they are read are
// refused. Start reading with [Open].
package reload
