/* The file of this binary is kept from the containers. */
#pragma once

/*
 * Parts this process from the file of this binary: 0 when that is done, or it goes on in a copy, with these variables; `argv`
 * is the one that it was started with.
 */
int seal(char **argv, char **envp);
