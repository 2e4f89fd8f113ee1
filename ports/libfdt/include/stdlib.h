#pragma once
/* libfdt asks for it and uses nothing of it. */
