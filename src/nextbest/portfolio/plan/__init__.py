"""From a questionnaire and a goal to a proposal that suits."""
