"""The deliberate bugs, of the kinds that would lose, double or leak."""

from __future__ import annotations

from typing import Final

from mutants.mutant import INGESTOR, MIX, RUNTIME, STORE, Edit, Mutant, mutant

PAGES: Final = "tests/integration/store/test_pages.py"
ATOMICITY: Final = "tests/integration/store/test_page_atomicity.py"
BUDGETS: Final = "tests/integration/store/test_budgets.py"
TOKENS: Final = "tests/integration/store/test_tokens.py"
RULES: Final = "tests/unit/store/test_budget_rules.py"
INTERVALS: Final = "tests/unit/store/test_intervals.py"
AMENDMENTS: Final = "tests/integration/store/test_amendments.py"

MUTANTS: Final = (
    Mutant(
        "the cursor is moved before the data, in a transaction of its own",
        f"{ATOMICITY}::test_a_session_that_ends_leaves_all_or_nothing",
        (
            Edit(
                f"{STORE}/pages.py",
                "        written = _NOTHING\n",
                "        written = _NOTHING\n        await self._settle(written)\n",
            ),
            Edit(
                f"{STORE}/pages.py",
                "            await self._settle(written)\n            reached",
                "            reached",
            ),
        ),
    ),
    mutant(
        "a page is committed without asking for the epoch",
        f"{ATOMICITY}::test_a_stale_leader_cannot_commit",
        f"{STORE}/pages.py",
        "            await assert_epoch(conn, self._epoch)\n",
        "",
    ),
    mutant(
        "the epoch's number counts, and not whose it is",
        f"{ATOMICITY}::test_a_stale_leader_cannot_commit",
        f"{STORE}/elections.py",
        '"SELECT epoch = %s AND holder = %s FROM leader_epochs',
        '"SELECT epoch <= %s OR holder = %s FROM leader_epochs',
    ),
    mutant(
        "the cursor moves from wherever it is",
        f"{ATOMICITY}::test_a_cursor_that_is_elsewhere_stops_the_page",
        f"{STORE}/pages.py",
        "AND last_successful_sincetoken IS NOT DISTINCT FROM %(expected)s",
        "AND (true OR last_successful_sincetoken IS NOT DISTINCT FROM %(expected)s)",
    ),
    mutant(
        "HasMoreItems: anything but False is taken for True",
        "tests/unit/mix/test_pages.py::test_any_other_has_more_items_is_no_page_and_counts_as_the_last_one",
        f"{MIX}/pages.py",
        '    raise PageInvalid("its HasMoreItems header is neither True nor False")\n',
        "    return True\n",
    ),
    mutant(
        "HasMoreItems: True is taken for False",
        "tests/unit/mix/test_pages.py::test_has_more_items",
        f"{MIX}/pages.py",
        '        case "true":\n            return True\n',
        '        case "true":\n            return False\n',
    ),
    mutant(
        "an empty page does not move the cursor",
        f"{PAGES}::test_an_empty_page_moves_the_cursor_and_nothing_else",
        f"{STORE}/pages.py",
        '            "token": page.next_token,\n',
        '            "token": page.next_token if page.records or page.rejected else expected_token,\n',
    ),
    mutant(
        "ids go through a float",
        "tests/unit/mix/test_events.py::test_the_ids_of_a_page_in_one_go_are_exact",
        f"{MIX}/events.py",
        "        found = [one.event_id for one in",
        "        found = [int(float(one.event_id)) for one in",
    ),
    mutant(
        "a changed event whose digest differs is left as it was",
        f"{PAGES}::test_a_changed_event_is_updated_once",
        f"{STORE}/page_rows.py",
        "if again or record.digest != stored[record.external_id]]",
        "if again]",
    ),
    mutant(
        "an older observation overwrites a newer one",
        f"{PAGES}::test_an_older_observation_never_overwrites_a_newer_one",
        f"{STORE}/event_rows.py",
        "AND (e.observed_at < %(observed_at)s OR",
        "AND (e.observed_at <> %(observed_at)s OR",
    ),
    mutant(
        "of the same id in a page the first counts",
        f"{PAGES}::test_the_last_of_the_same_id_in_a_page_counts",
        f"{STORE}/page_rows.py",
        "newest = {record.external_id: record for record in records}",
        "newest = {record.external_id: record for record in reversed(records)}",
    ),
    mutant(
        "an amendment is overwritten by its original",
        f"{AMENDMENTS}::test_amendments_that_come_before_their_event_and_versions_that_come_after",
        f"{STORE}/event_rows.py",
        '        "driver": amended.get(event.external_id, event.values[0]),\n',
        '        "driver": event.values[0],\n',
    ),
    mutant(
        "an amendment that came before its event is forgotten",
        f"{AMENDMENTS}::test_amendments_that_come_before_their_event_and_versions_that_come_after",
        f"{STORE}/event_rows.py",
        "driver = amended.get(external_id, values[0]) if amended else values[0]",
        "driver = values[0]",
    ),
    mutant(
        "the oldest amendment decides",
        f"{AMENDMENTS}::test_which_decides",
        f"{STORE}/amendment_rows.py",
        "amended_at DESC NULLS LAST",
        "amended_at ASC NULLS LAST",
    ),
    mutant(
        "two processes ask for a token at the same time",
        f"{TOKENS}::test_of_many_processes_one_asks",
        f"{STORE}/tokens.py",
        "   AND (intent_deadline IS NULL OR NOT ({_UNDER_WAY}))\n",
        "",
    ),
    mutant(
        "an answer that comes late replaces the login of who went on",
        f"{TOKENS}::test_an_answer_that_comes_after_somebody_else_went_on_is_dropped",
        f"{STORE}/tokens.py",
        ' AND generation = %(generation)s AND intent_holder = %(holder)s"',
        '"',
    ),
    mutant(
        "a refresh token that may be spent is tried again",
        f"{TOKENS}::test_a_death_between_intent_and_outcome",
        f"{STORE}/tokens.py",
        "       CASE WHEN intent_grant = 'refresh_token' AND NOT ({_UNDER_WAY}) THEN NULL ELSE refresh_token END,\n",
        "       refresh_token,\n",
    ),
    mutant(
        "a short list is believed at once",
        "tests/integration/store/test_support.py::test_a_short_list_wipes_nothing",
        f"{STORE}/plausibility.py",
        "        return Verdict.DOUBTED\n    similar",
        "        return Verdict.CONFIRMED\n    similar",
    ),
    mutant(
        "each process has a budget of its own",
        f"{BUDGETS}::test_processes_together_keep_the_limit",
        f"{STORE}/budgets.py",
        "permits.budget_id(self.db, self.account.key)",
        'permits.budget_id(self.db, f"{self.account.key} {self.account.holder}")',
    ),
    mutant(
        "a permit frees with its answer",
        f"{BUDGETS}::test_a_permit_takes_a_slot_until_long_after_its_answer",
        f"{STORE}/budget_rules.py",
        '        """When a slot frees whose answer was read now."""\n        return now + self.window',
        '        """When a slot frees whose answer was read now."""\n        return now',
    ),
    mutant(
        "a permit of unknown outcome frees a window after its grant",
        f"{RULES}::test_no_window_ever_sees_more_arrivals_than_the_limit",
        f"{STORE}/budget_rules.py",
        "        return now + self.send_within + self.transit + self.window",
        "        return now + self.window",
    ),
    mutant(
        "the feed's pause is not written down",
        f"{BUDGETS}::test_no_more_begins_the_pause",
        f"{STORE}/permits.py",
        "until=account.rules.paused_until(now) if no_more else None)",
        "until=None)",
    ),
    mutant(
        "a feed whose call's outcome is unknown does not rest",
        f"{BUDGETS}::test_an_unknown_outcome_counts_as_no_more",
        f"{STORE}/permits.py",
        "            await _rest(connection, account.feed, account.rules.silent_until(books.now))\n",
        "            pass\n",
    ),
    mutant(
        "a 429 closes nothing",
        f"{BUDGETS}::test_429_closes_the_budget_for_everybody",
        f"{STORE}/permits.py",
        "SET closed_until = greatest(closed_until, %s) WHERE key = %s",
        "SET closed_until = greatest(closed_until, %s - interval '1 day') WHERE key = %s",
    ),
    mutant(
        "of candidates that queue up, each takes over the one before",
        "tests/integration/store_foundation/test_elections.py::test_of_many_that_try_at_once_one_leads",
        f"{STORE}/elections.py",
        "            if not (force or stale or former == self._holder):\n",
        "            if former is None:\n",
    ),
    Mutant(
        "a leader with a fresh heartbeat is taken over",
        "tests/integration/store_foundation/test_elections.py::test_one_leads_and_the_other_waits_until_it_is_released",
        (
            Edit(
                f"{STORE}/elections.py",
                "            if not (force or stale or former == self._holder):\n",
                "            if former is None:\n",
            ),
            Edit(
                f"{STORE}/elections.py",
                '                "SELECT holder = %s OR renewed_at',
                '                "SELECT true OR holder = %s OR renewed_at',
            ),
        ),
    ),
    mutant(
        "a runner that loses its cancellation runs for ever",
        "tests/integration/ingestor/test_runners.py::test_a_runner_that_loses_its_cancellation_still_ends",
        f"{INGESTOR}/runners.py",
        "            end.set()\n            if not running.done():\n",
        "            if not running.done():\n",
    ),
    mutant(
        "a window's edge is a second off",
        f"{INTERVALS}::test_windows_cover_an_interval_without_hole_or_overlap_the_newest_first",
        f"{STORE}/intervals.py",
        "        yield Interval(start, end)\n        end = start\n",
        "        yield Interval(start, end)\n        end = start - SECOND\n",
    ),
    mutant(
        "a dead token's gap ends before the feed begins anew",
        "tests/unit/ingestor/test_pacing.py::test_what_a_dead_token_leaves_reaches_from_its_position_to_where_the_feed_begins_anew",
        f"{INGESTOR}/pacing.py",
        "    until = oldest(now.earlier if died_early else now.later)\n",
        "    until = oldest(now.earlier if died_early else now.later) - OLDEST_MARGIN\n",
    ),
    mutant(
        "a gap that grows backward counts as filled",
        f"{INTERVALS}::test_absorb",
        f"{STORE}/intervals.py",
        "        return OpenGap(Interval(new.start, end))\n",
        "        return OpenGap(Interval(new.start, end), first.filled_up_to if first else None)\n",
    ),
    mutant(
        "a gap is closed with the first part that was read",
        "tests/integration/store/test_gaps.py::test_a_gap_is_closed_with_the_last_part_of_it_and_not_before",
        f"{STORE}/gaps.py",
        '"closed": not unread, "id": gap_id}',
        '"closed": True, "id": gap_id}',
    ),
    mutant(
        "a gap counts as filled up to where its windows were read, whatever clocks are ahead",
        f"{INTERVALS}::test_how_far_a_gap_is_filled",
        f"{STORE}/intervals.py",
        "    until = min(first - AHEAD, gap.span.end)\n",
        "    until = min(first + AHEAD, gap.span.end)\n",
    ),
    mutant(
        "late uploads of a gap are not looked for",
        f"{INTERVALS}::test_the_lateness_widens_what_is_read_within_reason",
        f"{STORE}/intervals.py",
        "    return Interval(floor(left.start - late), ceil(end))\n",
        "    return Interval(floor(left.start), ceil(end))\n",
    ),
    mutant(
        "a gap grows, and what was read before is not read again",
        "tests/integration/store/test_gaps.py::test_a_gap_that_grows_is_laid_out_anew",
        f"{STORE}/intervals.py",
        "    if any(gap.span.start <= new.start and new.end <= gap.span.end for gap in known):\n",
        "    if any(gap.span.start <= new.start <= gap.span.end for gap in known):\n",
    ),
    mutant(
        "a feed begins anew without asking for the epoch",
        "tests/integration/store/test_cursor_by_model.py::test_the_cursor_stands_where_the_last_committed_page_left_it",
        f"{STORE}/cursors.py",
        "        await assert_epoch(conn, epoch)\n"
        "        await conn.execute(LOCK_ORGANISATION, (organisation_id,))\n"
        "        await conn.execute(\n",
        "        await conn.execute(LOCK_ORGANISATION, (organisation_id,))\n        await conn.execute(\n",
    ),
    mutant(
        "one source that keeps less decides for all",
        "tests/integration/keeping/test_retention.py::test_one_keeps_less_than_the_other",
        f"{STORE}/retention_plan.py",
        "timedelta(days=max(known)) if known",
        "timedelta(days=min(known)) if known",
    ),
    mutant(
        "a source without retention keeps nothing from being dropped",
        "tests/integration/keeping/test_retention.py"
        "::test_a_source_without_retention_keeps_everything_and_no_month_is_dropped",
        f"{STORE}/retention_plan.py",
        " if known and len(known) == len(days) else None",
        " if known else None",
    ),
    mutant(
        "of two secrets, one the beginning of the other, the end is shown",
        "tests/unit/runtime/test_redaction.py::test_a_value_that_begins_like_another_leaves_no_end_behind",
        f"{RUNTIME}/redaction.py",
        "self._forms = tuple(sorted(set(every), key=len, reverse=True))",
        "self._forms = tuple(sorted(set(every), key=len))",
    ),
)
