/* SPDX-License-Identifier: Apache-2.0
 *
 * report_style: the looks of the page around the pictures; CSS without <style>.
 */
#ifndef QUELL_DESK_REPORT_STYLE_H
#define QUELL_DESK_REPORT_STYLE_H

extern const char report_page_style[];

#endif
