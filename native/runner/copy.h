/* Copies the content of directories. */
#pragma once

/*
 * Copies all in one open directory into another: owners, modes, times, and at the end the attributes of the directory
 * itself. Files with several names become several files, and extended attributes are left out.
 */
long copy_content_of(long from, long to);

/*
 * Makes a directory that is not there a copy of another one, with hard links and extended attributes, by as many processes
 * as there are processors, and reports through descriptor 1. Words: the directory, the copy, and the process that it ends
 * with. Returns the exit code.
 */
int make_copy(char **words);
