/* revision.h — which commit the program was built from. */
#pragma once

/* "4fd0a1b2c3d4", with "-dirty" where something was not committed; "unknown" outside of a checkout, and in
 * programs that do not set it. Set once, at the beginning of main(): were it compiled into the library, every
 * commit would link every program anew. */
extern const char *stoa_revision;
