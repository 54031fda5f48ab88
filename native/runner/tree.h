/* Makes the files of a directory. */
#pragma once

/*
 * Carries out the commands that come through descriptor 0, until its end, and reports through descriptor 1. Words: the
 * directory, and the process that it ends with. Returns the exit code.
 */
int make_tree(char **words);
