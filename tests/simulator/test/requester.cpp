// A requester in C++, as somebody else would write it against the SDK's headers: it sees the simulator's
// vtables as a C++ compiler lays them out. It backs up the Ledger (see support.c) by component from the
// volume in SIM_TEST_FIRST, keeps the documents, and restores from them. Exit code 0: everything went as it
// should; otherwise the failing line is on standard error. sim_test runs it, with its store and its scenario.
#define INITGUID
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <string>
#include <vector>

#include <windows.h>
#include <objbase.h>
#include <oleauto.h>
#include <cguid.h>
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>

namespace
{

[[noreturn]] void fail(const char *what, long hr, int line)
{
    std::fprintf(stderr, "requester.cpp:%d: %s: 0x%08lx\n", line, what, static_cast<unsigned long>(hr));
    std::exit(1);
}

#define CHECK(expression)                          \
    do {                                           \
        HRESULT check_hr = (expression);           \
        if (check_hr != S_OK)                      \
            fail(#expression, check_hr, __LINE__); \
    } while (0)
#define REQUIRE(condition)                 \
    do {                                   \
        if (!(condition))                  \
            fail(#condition, 0, __LINE__); \
    } while (0)

// What Microsoft's header declares, and mingw's does not: the second base.
class WriterComponentsExt : public IVssWriterComponents, public IUnknown
{
};

template <class Interface> class Pointer
{
  public:
    Pointer() = default;
    Pointer(const Pointer &) = delete;
    Pointer &operator=(const Pointer &) = delete;
    ~Pointer()
    {
        release();
    }
    Interface **out()
    {
        release();
        return &object_;
    }
    Interface *operator->() const
    {
        return object_;
    }
    Interface *get() const
    {
        return object_;
    }
    void release()
    {
        if (object_)
            object_->Release();
        object_ = nullptr;
    }

  private:
    Interface *object_ = nullptr;
};

class Text
{
  public:
    Text() = default;
    explicit Text(const std::wstring &text) : text_(SysAllocString(text.c_str()))
    {
    }
    Text(const Text &) = delete;
    Text &operator=(const Text &) = delete;
    ~Text()
    {
        SysFreeString(text_);
    }
    BSTR *out()
    {
        SysFreeString(text_);
        text_ = nullptr;
        return &text_;
    }
    BSTR get() const
    {
        return text_;
    }
    std::wstring value() const
    {
        return text_ ? text_ : L"";
    }

  private:
    BSTR text_ = nullptr;
};

using Start = HRESULT (STDMETHODCALLTYPE IVssBackupComponents::*)(IVssAsync **);

void run(IVssBackupComponents *object, Start start, int line)
{
    Pointer<IVssAsync> async;
    HRESULT hr = (object->*start)(async.out()), result = E_UNEXPECTED;
    if (hr == S_OK)
        hr = async->Wait(INFINITE);
    if (hr == S_OK)
        hr = async->QueryStatus(&result, nullptr);
    if (hr != S_OK || result != VSS_S_ASYNC_FINISHED)
        fail("asynchronous operation", hr == S_OK ? result : hr, line);
}
#define RUN(object, method) run((object).get(), &IVssBackupComponents::method, __LINE__)

struct Component {
    VSS_ID instance, writer;
    VSS_COMPONENT_TYPE type;
    std::wstring path, name;
    LPCWSTR logical_path() const
    {
        return path.empty() ? nullptr : path.c_str();
    }
};

struct Saved {
    std::wstring document;
    std::vector<std::wstring> writers;
    std::vector<Component> components;
};

HRESULT(STDAPICALLTYPE *create)(IVssBackupComponents **);
HRESULT(STDAPICALLTYPE *examine)(BSTR, IVssExamineWriterMetadata **);
void(STDAPICALLTYPE *free_properties)(VSS_SNAPSHOT_PROP *);

template <class Function> void resolve(HMODULE library, const char *name, Function &function)
{
    FARPROC found = GetProcAddress(library, name);
    REQUIRE(found != nullptr);
    static_assert(sizeof found == sizeof function, "a function pointer");
    std::memcpy(&function, &found, sizeof found);
}

void load(const std::wstring &path)
{
    HMODULE library = LoadLibraryW(path.c_str());
    REQUIRE(library != nullptr);
    resolve(library, "CreateVssBackupComponentsInternal", create);
    resolve(library, "CreateVssExamineWriterMetadataInternal", examine);
    resolve(library, "VssFreeSnapshotPropertiesInternal", free_properties);
}

void list_components(IVssExamineWriterMetadata *metadata, Saved &saved)
{
    VSS_ID instance, writer;
    VSS_USAGE_TYPE usage;
    VSS_SOURCE_TYPE source;
    Text name;
    UINT includes, excludes, components;
    CHECK(metadata->GetIdentity(&instance, &writer, name.out(), &usage, &source));
    CHECK(metadata->GetFileCounts(&includes, &excludes, &components));
    for (UINT i = 0; i < components && name.value() == L"Ledger"; i++) {
        Pointer<IVssWMComponent> component;
        PVSSCOMPONENTINFO info;
        CHECK(metadata->GetComponent(i, component.out()));
        CHECK(component->GetComponentInfo(&info));
        saved.components.push_back({instance, writer, info->type,
                                    info->bstrLogicalPath ? info->bstrLogicalPath : L"",
                                    info->bstrComponentName});
        for (UINT k = 0; k < info->cFileCount; k++) {
            Pointer<IVssWMFiledesc> file;
            Text path;
            CHECK(component->GetFile(k, file.out()));
            CHECK(file->GetPath(path.out()));
            REQUIRE(!path.value().empty());
        }
        CHECK(component->FreeComponentInfo(info));
    }
}

void choose(IVssBackupComponents *backup, Saved &saved)
{
    UINT count;
    CHECK(backup->GetWriterMetadataCount(&count));
    for (UINT i = 0; i < count; i++) {
        Pointer<IVssExamineWriterMetadata> metadata;
        VSS_ID instance;
        Text xml;
        CHECK(backup->GetWriterMetadata(i, &instance, metadata.out()));
        CHECK(metadata->SaveAsXML(xml.out()));
        saved.writers.push_back(xml.value());
        list_components(metadata.get(), saved);
    }
    REQUIRE(saved.components.size() == 2);
    for (const Component &c : saved.components)
        CHECK(backup->AddComponent(c.instance, c.writer, c.type, c.logical_path(), c.name.c_str()));
}

void check_status(IVssBackupComponents *object, VSS_WRITER_STATE expected)
{
    UINT count;
    run(object, &IVssBackupComponents::GatherWriterStatus, __LINE__);
    CHECK(object->GetWriterStatusCount(&count));
    for (UINT i = 0; i < count; i++) {
        VSS_ID instance, writer;
        Text name;
        VSS_WRITER_STATE state;
        HRESULT failure;
        CHECK(object->GetWriterStatus(i, &instance, &writer, name.out(), &state, &failure));
        REQUIRE(failure == S_OK && (name.value() != L"Ledger" || state == expected));
    }
    CHECK(object->FreeWriterStatus());
}

void check_copy(IVssBackupComponents *backup, VSS_ID snapshot, const std::wstring &volume)
{
    VSS_SNAPSHOT_PROP prop;
    CHECK(backup->GetSnapshotProperties(snapshot, &prop));
    std::wstring on_copy = std::wstring(prop.m_pwszSnapshotDeviceObject) + L"\\requester.txt";
    free_properties(&prop);
    REQUIRE(DeleteFileW((volume + L"requester.txt").c_str()));
    REQUIRE(GetFileAttributesW(on_copy.c_str()) != INVALID_FILE_ATTRIBUTES);
}

// Each writer's components by both halves of the object.
unsigned count_stamps(IVssBackupComponents *object)
{
    UINT writers, components;
    unsigned stamps = 0;
    CHECK(object->GetWriterComponentsCount(&writers));
    for (UINT i = 0; i < writers; i++) {
        IVssWriterComponentsExt *declared = nullptr;
        CHECK(object->GetWriterComponents(i, &declared));
        WriterComponentsExt *writer = reinterpret_cast<WriterComponentsExt *>(declared);
        CHECK(writer->GetComponentCount(&components));
        for (UINT k = 0; k < components; k++) {
            Pointer<IVssComponent> component;
            Text stamp;
            CHECK(writer->GetComponent(k, component.out()));
            stamps += component->GetBackupStamp(stamp.out()) == S_OK;
        }
        REQUIRE(writer->AddRef() == 2 && writer->Release() == 1 && writer->Release() == 0);
    }
    return stamps;
}

Saved back_up(const std::wstring &volume)
{
    Pointer<IVssBackupComponents> backup;
    VSS_ID set, snapshot;
    Saved saved;
    Text document;
    CHECK(create(backup.out()));
    CHECK(backup->InitializeForBackup(nullptr));
    CHECK(backup->SetBackupState(true, false, VSS_BT_FULL, false));
    RUN(backup, GatherWriterMetadata);
    choose(backup.get(), saved);
    CHECK(backup->StartSnapshotSet(&set));
    CHECK(backup->AddToSnapshotSet(const_cast<VSS_PWSZ>(volume.c_str()), GUID_NULL, &snapshot));
    RUN(backup, PrepareForBackup);
    check_status(backup.get(), VSS_WS_STABLE);
    RUN(backup, DoSnapshotSet);
    check_status(backup.get(), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
    check_copy(backup.get(), snapshot, volume);
    REQUIRE(count_stamps(backup.get()) == 2);
    for (const Component &c : saved.components)
        CHECK(
            backup->SetBackupSucceeded(c.instance, c.writer, c.type, c.logical_path(), c.name.c_str(), true));
    RUN(backup, BackupComplete);
    check_status(backup.get(), VSS_WS_STABLE);
    CHECK(backup->SaveAsXML(document.out()));
    saved.document = document.value();
    return saved;
}

void restore(const Saved &saved)
{
    Pointer<IVssBackupComponents> object;
    Text document(saved.document);
    for (const std::wstring &xml : saved.writers) {
        Pointer<IVssExamineWriterMetadata> stored;
        Text text(xml), again;
        CHECK(examine(text.get(), stored.out()));
        CHECK(stored->SaveAsXML(again.out()));
        REQUIRE(again.value() == xml);
    }
    CHECK(create(object.out()));
    CHECK(object->InitializeForRestore(document.get()));
    RUN(object, GatherWriterMetadata);
    REQUIRE(count_stamps(object.get()) == 2);
    for (const Component &c : saved.components)
        CHECK(object->SetSelectedForRestore(c.writer, c.type, c.logical_path(), c.name.c_str(), true));
    RUN(object, PreRestore);
    check_status(object.get(), VSS_WS_STABLE);
    for (const Component &c : saved.components)
        CHECK(object->SetFileRestoreStatus(c.writer, c.type, c.logical_path(), c.name.c_str(), VSS_RS_ALL));
    RUN(object, PostRestore);
    check_status(object.get(), VSS_WS_STABLE);
}

std::wstring beside_us(const wchar_t *name)
{
    wchar_t path[MAX_PATH];
    GetModuleFileNameW(nullptr, path, MAX_PATH);
    std::wstring folder(path);
    return folder.substr(0, folder.rfind(L'\\') + 1) + name;
}

} // namespace

int main()
{
    wchar_t volume[MAX_PATH];
    REQUIRE(GetEnvironmentVariableW(L"SIM_TEST_FIRST", volume, MAX_PATH) > 0);
    REQUIRE(CoInitializeEx(nullptr, COINIT_MULTITHREADED) == S_OK);
    load(beside_us(L"shadowsim.dll"));
    FILE *file = _wfopen((std::wstring(volume) + L"requester.txt").c_str(), L"w");
    REQUIRE(file != nullptr);
    std::fclose(file);
    restore(back_up(volume));
    CoUninitialize();
    return 0;
}
