"""What the ``train:`` section of a spec may say: every name once, with what is known of it without torch."""
