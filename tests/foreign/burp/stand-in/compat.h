#pragma once
#include "burp.h"
