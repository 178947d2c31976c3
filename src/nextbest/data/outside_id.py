"""The type of an id as the outside knows it, alone: who only names it needn't load what tables need (`data.ids`)."""

OutsideId = int | str
