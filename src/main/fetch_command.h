/* SPDX-License-Identifier: Apache-2.0
 *
 * fetch_command: `quell fetch`, which is both a daemon and a command.
 */
#ifndef QUELL_MAIN_FETCH_COMMAND_H
#define QUELL_MAIN_FETCH_COMMAND_H

#include "desk/desk.h"

extern const struct desk_command fetch_command;

#endif
