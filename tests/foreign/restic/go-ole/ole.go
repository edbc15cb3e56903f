// Package ole stands in for github.com/go-ole/go-ole, of which Debian has no package: what restic's VSS code takes from
// there, with the same names and layouts.
package ole

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// COINIT_MULTITHREADED is the value of Windows.
const COINIT_MULTITHREADED = 0

// GUID has the layout of Windows.
type GUID = windows.GUID

// IID_NULL is the id of nothing.
var IID_NULL = &GUID{}

// IUnknown is an object: its first word points to the vtable.
type IUnknown struct {
	RawVTable *interface{}
}

// IUnknownVtbl is how every vtable begins.
type IUnknownVtbl struct {
	QueryInterface uintptr
	AddRef         uintptr
	Release        uintptr
}

// VTable is the object's, as far as it is known here.
func (object *IUnknown) VTable() *IUnknownVtbl {
	return (*IUnknownVtbl)(unsafe.Pointer(object.RawVTable))
}

// Release gives a reference up, and says how many are left.
func (object *IUnknown) Release() int32 {
	left, _, _ := syscall.SyscallN(object.VTable().Release, uintptr(unsafe.Pointer(object)))
	return int32(left)
}

// NewGUID is nil for what is none.
func NewGUID(text string) *GUID {
	id, err := windows.GUIDFromString(text)
	if err != nil {
		return nil
	}
	return &id
}

// CoInitializeEx is the function of Windows.
func CoInitializeEx(reserved uintptr, concurrency uint32) error {
	return windows.CoInitializeEx(reserved, concurrency)
}

// UTF16PtrToString copies a text that ends with a zero.
func UTF16PtrToString(text *uint16) string {
	return windows.UTF16PtrToString(text)
}
