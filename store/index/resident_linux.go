package index

import "syscall"

// unmapRead takes a mapped file's pages out of this process. They are the file's
// own and clean: reading maps them again. That fails for no file that is mapped.
func unmapRead(file []byte) {
	if len(file) > 0 {
		_ = syscall.Madvise(file, syscall.MADV_DONTNEED)
	}
}
