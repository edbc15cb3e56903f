/* IVssComponentEx2 over one component of a part of the Backup Components Document. */
#pragma once
#include "engine/engine.h"

#include <vsbackup.h>

/* One tree, shared by the writer's object and its components'. */
struct tree {
    LONG references;
    struct xml *root;
};
struct tree *tree_hold(struct tree *tree);
void tree_drop(struct tree *tree);

/* VSS_E_OBJECT_NOT_FOUND past the last. */
HRESULT component_create_at(struct tree *tree, UINT index, IVssComponent **out);
