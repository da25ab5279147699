/* SPDX-License-Identifier: Apache-2.0
 *
 * watch_command: `quell watch`, which reads logs to their end, or goes on reading them.
 */
#ifndef QUELL_MAIN_WATCH_COMMAND_H
#define QUELL_MAIN_WATCH_COMMAND_H

#include "desk/desk.h"

extern const struct desk_command watch_command;

#endif
