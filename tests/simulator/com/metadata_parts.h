/* The parts of a writer's metadata as COM objects. Each takes a hold of its own on the list. */
#pragma once
#include "metadata.h"

HRESULT filedesc_create(struct writer_list *list, const struct writer_files *files, IVssWMFiledesc **out);
HRESULT component_create(struct writer_list *list, const struct writer_component *component,
                         IVssWMComponent **out);

/* A NULL text gives NULL and S_OK. */
HRESULT bstr_copy(const wchar_t *text, BSTR *out);
